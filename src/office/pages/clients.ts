import type { z } from 'zod'
import { AUTHORIZATIONS } from '../../admin/api/authorizations.ts'
import { CLIENT_DETAIL, CLIENTS } from '../../admin/api/clients.ts'
import { RESOURCES } from '../../admin/api/policy-reads.ts'
import { type Html, html } from '../../issuer/pages/html.ts'
import { apiPath } from '../api.ts'
import { listPage } from '../list-page.ts'
import type { PageContext } from '../page-context.ts'
import { code, facts, input, link, linkTo, moment, said, stateOf, table } from '../parts.ts'
import type { PageContent } from '../shell.ts'
import { problemOf } from './people.ts'

/** Registered clients. */
export function clientsPage(context: PageContext): Promise<PageContent> {
  return listPage(context, {
    place: '/clients',
    title: 'Clients',
    acts: html`<a class="button primary" href="/admin/clients/new">New client</a>`,
    fields: [
      { name: 'q', label: 'Id or name' },
      { name: 'type', label: 'Type', options: ['native', 'spa', 'web', 'service'] },
      { name: 'state', label: 'State', options: ['active', 'revoked'] },
      { name: 'origin', label: 'Registered by', options: ['operator', 'registration', 'document', 'built_in'] },
      { name: 'unused_since', label: 'Unused since (UTC)', time: true },
    ],
    columns: [
      { label: 'Id', kind: 'name', cell: ({ id }) => linkTo('clients', id, id) },
      { label: 'Name', cell: ({ name }) => said(name) },
      { label: 'Type', cell: ({ type }) => said(type) },
      { label: 'State', cell: ({ state }) => stateOf(state) },
      { label: 'Added', kind: 'short', cell: ({ created_at: at }) => moment(at) },
    ],
    schema: CLIENTS,
    empty: () =>
      html`No client fits. <a href="/admin/clients">Show all</a>, or <a href="/admin/clients/new">add one</a>.`,
  })
}

/** The form that adds a client. */
export function newClientPage(context: PageContext, problem?: string): PageContent {
  const typed = (name: string): string => context.query.get(name) ?? ''
  return {
    title: 'New client',
    lead: 'native: an app on a device · spa: a page in the browser · web: an app with a server of its own · service: a machine without a person.',
    content: html`${problemOf(problem)}${context.form(
      '/admin/clients',
      html`${input({ name: 'id', label: 'Client id', required: true, value: typed('id') })}
${input({ name: 'name', label: 'Name that people see', required: true, value: typed('name') })}
${input({ name: 'type', label: 'Type', options: ['native', 'spa', 'web', 'service'], value: typed('type') })}
${input({ name: 'redirect_uris', label: 'Redirect URIs', rows: 3, hint: 'One a line, exactly as the app sends them. None for a service.', value: typed('redirect_uris') })}
${input({ name: 'allow', label: 'What a service may have', rows: 2, hint: 'One a line: RESOURCE=scope,scope. For type service only.', value: typed('allow') })}
<div class="field"><label><input type="checkbox" name="third_party" value="true"> Third party: people are asked before it gets anything</label></div>
<div class="actions"><button class="button primary" type="submit">Add client</button></div>`,
    )}`,
  }
}

/** A client, its secrets, and how to end what it has. */
export async function clientPage(context: PageContext, id: string): Promise<PageContent> {
  const at = `/clients/${encodeURIComponent(id)}`
  const answer = await context.call({ method: 'GET', path: at })
  const client = await context.get(at, CLIENT_DETAIL)
  const authorizations = await context.get(apiPath('/authorizations', { client: id }), AUTHORIZATIONS)
  const here = `/admin${at}`
  const revoked = client.state === 'revoked'
  const builtIn = client.origin === 'built_in'
  const keepsSecret = client.type === 'web' || client.type === 'service'
  return {
    title: client.name,
    lead: html`${stateOf(client.state)} · ${said(client.type)} · ${code(client.id)}`,
    content: html`${
      !builtIn &&
      html`<div class="acts">
${revoked ? context.button(`${here}/restore`, 'Restore') : context.button(`${here}/revoke`, 'Revoke', true)}
${context.button(`${here}/end`, 'End its tokens', true)}
${keepsSecret && context.button(`${here}/secrets`, 'New secret')}
${revoked && context.button(`${here}/delete`, 'Delete', true, { etag: answer.headers.etag ?? '' })}</div>`
    }
${facts([
  ['Registered by', said(client.origin.replaceAll('_', ' '))],
  ['Third party', html`${client.third_party ? 'yes: people are asked' : 'no'}`],
  [
    'Redirect URIs',
    client.redirect_uris.length === 0
      ? said('')
      : html`${client.redirect_uris.map((uri) => html`<div>${code(uri)}</div>`)}`,
  ],
  [
    'May have',
    said(
      Object.entries(client.allow)
        .map(([resource, scopes]) => `${resource}: ${scopes.join(', ')}`)
        .join(' · ') || 'what people give it',
      500,
    ),
  ],
  ['Added', moment(client.created_at)],
])}
${
  keepsSecret &&
  html`<section aria-labelledby="secrets"><h2 id="secrets">Secrets</h2>${table(
    'Secrets',
    [
      { label: 'Secret', kind: 'name', cell: ({ id: secret }) => code(secret) },
      { label: 'Made', kind: 'short', cell: ({ created_at: made }) => moment(made) },
      { label: 'Last used', kind: 'short', cell: ({ last_used_at: used }) => moment(used) },
      {
        label: 'Act',
        kind: 'act',
        cell: ({ id: secret }) =>
          context.button(`${here}/secrets/${encodeURIComponent(secret)}/remove`, 'Remove', true),
      },
    ],
    client.secrets,
    html`It has no secret.`,
  )}</section>`
}
${!builtIn && !revoked && (await useSection(context, client))}
<section aria-labelledby="auth"><h2 id="auth">Who is signed in with it</h2>${table(
      'Authorizations',
      [
        { label: 'Person', kind: 'name', cell: ({ sub, username }) => linkTo('people', sub, username ?? sub) },
        { label: 'Device', cell: ({ label }) => said(label) },
        { label: 'Last used', kind: 'short', cell: ({ last_used_at: used }) => moment(used) },
        {
          label: 'Act',
          kind: 'act',
          cell: ({ gid }) => context.button(`/admin/authorizations/${encodeURIComponent(gid)}/end`, 'End', true),
        },
      ],
      authorizations.items,
      html`Nobody is signed in with it.`,
    )}${authorizations.next !== undefined && html`<p>${link(`/admin/authorizations?${new URLSearchParams({ client: id })}`, 'All of them')}</p>`}</section>
<p>${link(`/admin/decisions?${new URLSearchParams({ client: id, outcome: 'refused' })}`, 'What was refused to it')}</p>`,
  }
}

/** The smallest step that works, to paste; what is needed besides is named in capitals. */
async function useSection(context: PageContext, client: z.output<typeof CLIENT_DETAIL>): Promise<Html> {
  const {
    id,
    type,
    redirect_uris: [redirect = 'REDIRECT_URI'],
    allow,
  } = client
  const { origin } = context
  const known = (await context.all('/resources', RESOURCES)).map((each) => each.id)
  const resource = Object.keys(allow)[0] ?? known[0] ?? 'RESOURCE'
  const paste =
    type === 'service'
      ? `curl --user ${id}:SECRET ${origin}/oauth/token \\\n  --data grant_type=client_credentials --data-urlencode resource=${resource}`
      : type === 'native'
        ? `audgate token --issuer ${origin} --client ${id} --resource ${resource}`
        : JSON.stringify({ issuer: origin, client_id: id, redirect_uri: redirect, resource }, null, 2)
  const tried = new URLSearchParams({ client: id, resource })
  return html`<section aria-labelledby="use"><h2 id="use">Use it</h2><pre class="scroll"><code data-copy="">${paste}</code></pre>
<p>${link(`/admin/try?${tried}`, 'Try what it would get')}</p></section>`
}
