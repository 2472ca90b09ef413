import { attributes, html } from '../../issuer/pages/html.ts'
import { apiPath } from '../api.ts'
import { filters, sentOf, table } from '../parts.ts'
import { DECISIONS, type Decision } from '../shapes.ts'
import type { PageContent } from '../shell.ts'
import { STREAM_PATH } from '../stream.ts'
import type { Visit } from '../visit.ts'
import { COLUMNS, filterFields, NAMES } from './decisions.ts'

const PLACE = '/admin/decisions/live'

/** Decisions as they are made: the only page that needs its script. @param ticket opens the stream, once, within a minute. */
export async function livePage(visit: Visit, ticket: string): Promise<PageContent> {
  const sent = sentOf(visit.query, NAMES)
  const found = await visit.get(apiPath('/decisions', { ...sent, limit: '20' }), DECISIONS)
  const stream = apiPath(STREAM_PATH, { ...sent, ticket })
  const rows = table<Decision>('Decisions as they are made', COLUMNS, found.items, html``, 'live-rows')
  return {
    title: 'Live decisions',
    lead: html`What the gateway decides now, passes too, the newest first; a busy gateway shows a sample of its passes. <a href="${apiPath('/admin/decisions', sent)}">What is kept</a>`,
    content: html`${filters(PLACE, filterFields(), visit.query)}
<noscript><p class="notice note">New rows come by a script, and this browser runs none: <a href="${apiPath(PLACE, sent)}">load the page again</a> to see what came since.</p></noscript>
<div id="live" ${attributes({ 'data-stream': stream })}>
<p class="live-bar"><span id="live-state" class="state off" role="status">not connected</span>
<button class="button" type="button" id="live-pause" aria-pressed="false" hidden>Pause</button>
<span id="live-waiting" class="hint"></span></p>
<div role="log" aria-live="off" aria-label="Decisions">${rows}</div>
<div class="empty" id="live-empty" ${attributes({ hidden: found.items.length > 0 })}>Nothing has been decided that fits. Rows appear here as requests come in.</div>
</div>`,
    connects: true,
  }
}
