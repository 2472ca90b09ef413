import type { z } from 'zod'
import { RESOURCES } from '../../admin/api/policy-reads.ts'
import { TRIED } from '../../admin/api/try.ts'
import { html } from '../../issuer/pages/html.ts'
import { refusalOf } from '../api.ts'
import type { PageContext } from '../page-context.ts'
import { checkList, code, type FilterField, filters, said, verdictOf } from '../parts.ts'
import type { PageContent } from '../shell.ts'
import { problemOf } from './people.ts'

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND', 'MOVE', 'COPY', 'MKCOL']
const LEAD = 'Nothing is issued, and nothing is sent to a service. Leave the URL out to ask about tokens alone.'

/** What somebody could get, by the functions that issue and judge; nothing is issued or sent. */
export async function tryPage(context: PageContext): Promise<PageContent> {
  const { query } = context
  const resources = await context.all('/resources', RESOURCES)
  const form = filters('/admin/try', fieldsOf(resources.map(({ id }) => id)), query, 'Try')
  const resource = query.get('resource') ?? ''
  if (resource === '') {
    return {
      title: 'Try access',
      lead: LEAD,
      content: html`${form}<div class="empty">Say who, by which client, and for which resource: somebody by name, anybody of some groups, or a service client alone.</div>`,
    }
  }
  const answer = await context.call({ method: 'POST', path: '/access/try', body: questionOf(query, resource) })
  if (answer.status >= 400) {
    const { message } = refusalOf(answer)
    return { title: 'Try access', lead: LEAD, content: html`${problemOf(message)}${form}`, status: answer.status }
  }
  return { title: 'Try access', lead: LEAD, content: html`${form}${resultOf(TRIED.parse(answer.body))}` }
}

function fieldsOf(resources: readonly string[]): readonly FilterField[] {
  return [
    { name: 'person', label: 'Person' },
    { name: 'groups', label: 'Or groups (a,b)' },
    { name: 'client', label: 'Client' },
    { name: 'resource', label: 'Resource', options: resources, none: 'choose one', wide: true },
    { name: 'scopes', label: 'Scopes' },
    { name: 'method', label: 'Method', options: METHODS, none: 'GET' },
    { name: 'url', label: 'URL', wide: true },
    { name: 'acr', label: 'Signed in by', options: ['pwd', 'mfa', 'phr'], none: 'pwd' },
    { name: 'age', label: 'Seconds ago' },
  ]
}

function resultOf({ issue, decision, claims }: z.output<typeof TRIED>) {
  return html`<section aria-labelledby="issue"><h2 id="issue">Would a token be issued?</h2>
<p>${issue.given.length > 0 ? verdictOf('ok', `yes, with ${issue.given.join(', ')}`) : verdictOf('refused', `no: ${issue.refused ?? 'nothing would be given'}`)}</p>
${issue.left_out.length > 0 && html`<ul>${issue.left_out.map(({ scope, why }) => html`<li>${code(scope)} is left out: ${said(why, 300)}</li>`)}</ul>`}</section>
${
  issue.given.length > 0 &&
  html`<section aria-labelledby="claims"><h2 id="claims">Claims it would carry</h2><pre class="scroll"><code data-copy="">${JSON.stringify(claims ?? {}, null, 2)}</code></pre></section>`
}
${
  decision !== null &&
  html`<section aria-labelledby="pass"><h2 id="pass">Would the request pass?</h2><p>${decision.outcome === 'ok' ? verdictOf('ok', 'yes') : verdictOf('refused', `no: ${decision.reason ?? 'refused'}`)}</p>${checkList(decision.checks)}
${decision.upstream !== null && html`<section aria-labelledby="sent"><h2 id="sent">What the service would get</h2><pre class="scroll"><code>${headOf(decision.upstream)}</code></pre></section>`}</section>`
}`
}

/** As it would go out: where to, then its fields. */
function headOf({ url, headers }: { readonly url: string; readonly headers: readonly (readonly string[])[] }): string {
  return [url, ...headers.map(([name = '', value = '']) => `${name}: ${value}`)].join('\n')
}

function questionOf(query: URLSearchParams, resource: string): object {
  const value = (name: string): string | undefined => query.get(name)?.trim() || undefined
  const list = (name: string): readonly string[] | undefined => value(name)?.split(/[\s,]+/)
  const [person, groups, client, url] = [value('person'), list('groups'), value('client'), value('url')]
  const [scopes, acr, age] = [list('scopes'), value('acr'), value('age')]
  const signedIn = { ...(acr === undefined ? {} : { acr }), ...(age === undefined ? {} : { age: Number(age) }) }
  return {
    ...(person === undefined ? {} : { person }),
    ...(groups === undefined ? {} : { claims: { groups } }),
    ...(client === undefined ? {} : { client }),
    resource,
    ...(scopes === undefined ? {} : { scopes }),
    ...(acr === undefined && age === undefined ? {} : { signed_in: signedIn }),
    ...(url === undefined
      ? {}
      : { request: { method: value('method') ?? 'GET', url: url.startsWith('//') ? `https:${url}` : url } }),
  }
}
