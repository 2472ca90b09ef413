import { html } from '../../issuer/pages/html.ts'
import { bodyOf } from '../api.ts'
import type { PageContext } from '../page-context.ts'
import { checkList, code, filters, said, verdictOf } from '../parts.ts'
import { TRIED } from '../shapes.ts'
import type { PageContent } from '../shell.ts'

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND', 'MOVE', 'COPY', 'MKCOL']

/** What somebody could get, by the functions that issue and judge; nothing is issued or sent. */
export async function tryPage(context: PageContext): Promise<PageContent> {
  const { query } = context
  const resource = query.get('resource') ?? ''
  const form = filters(
    '/admin/try',
    [
      { name: 'person', label: 'Person' },
      { name: 'client', label: 'Client' },
      { name: 'resource', label: 'Resource', wide: true },
      { name: 'scopes', label: 'Scopes' },
      { name: 'method', label: 'Method', options: METHODS },
      { name: 'url', label: 'URL', wide: true },
    ],
    query,
    'Try',
  )
  const lead = 'Nothing is issued, and nothing is sent to a service. Leave the URL out to ask about tokens alone.'
  if (resource === '') {
    return {
      title: 'Try access',
      lead,
      content: html`${form}<div class="empty">Say who, by which client, and for which resource. <a href="/admin/routes">Routes</a> name the resources.</div>`,
    }
  }
  const tried = bodyOf(
    await context.call({ method: 'POST', path: '/access/try', body: questionOf(query, resource) }),
    TRIED,
  )
  const { issue, decision, claims } = tried
  return {
    title: 'Try access',
    lead,
    content: html`${form}
<section aria-labelledby="issue"><h2 id="issue">Would a token be issued?</h2>
<p>${issue.given.length > 0 ? verdictOf('ok', `yes, with ${issue.given.join(', ')}`) : verdictOf('refused', 'no: nothing would be given')}</p>
${issue.left_out.length > 0 && html`<ul>${issue.left_out.map(({ scope, why }) => html`<li>${code(scope)} is left out: ${said(why, 300)}</li>`)}</ul>`}</section>
${
  issue.given.length > 0 &&
  html`<section aria-labelledby="claims"><h2 id="claims">Claims it would carry</h2><pre class="scroll"><code data-copy="">${JSON.stringify(claims ?? {}, null, 2)}</code></pre></section>`
}
${
  decision !== null &&
  decision !== undefined &&
  html`<section aria-labelledby="pass"><h2 id="pass">Would the request pass?</h2><p>${decision.outcome === 'ok' ? verdictOf('ok', 'yes') : verdictOf('refused', `no: ${decision.reason ?? 'refused'}`)}</p>${checkList(decision.checks)}
${decision.upstream !== undefined && decision.upstream !== null && html`<h2>What the service would get</h2><pre class="scroll"><code>${JSON.stringify(decision.upstream, null, 2)}</code></pre>`}</section>`
}`,
  }
}

function questionOf(query: URLSearchParams, resource: string): object {
  const value = (name: string): string | undefined => query.get(name) || undefined
  const [person, client, url] = [value('person'), value('client'), value('url')]
  const scopes = value('scopes')?.split(/[\s,]+/)
  return {
    ...(person === undefined ? {} : { person }),
    ...(client === undefined ? {} : { client }),
    resource,
    ...(scopes === undefined ? {} : { scopes }),
    ...(url === undefined
      ? {}
      : { request: { method: value('method') ?? 'GET', url: url.startsWith('//') ? `https:${url}` : url } }),
  }
}
