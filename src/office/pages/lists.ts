import { ACCESS } from '../../admin/api/access.ts'
import { AUTHORIZATIONS } from '../../admin/api/authorizations.ts'
import { html } from '../../issuer/pages/html.ts'
import { listPage } from '../list-page.ts'
import type { PageContext } from '../page-context.ts'
import { code, linkTo, moment, said, verdictOf } from '../parts.ts'
import type { PageContent } from '../shell.ts'

/** Which apps are signed in, for whom. */
export function authorizationsPage(context: PageContext): Promise<PageContent> {
  return listPage(context, {
    place: '/authorizations',
    title: 'Authorizations',
    lead: 'Each is one sign-in of one app on one device. Ending it ends its tokens at once.',
    fields: [
      { name: 'person', label: 'Person' },
      { name: 'client', label: 'Client' },
      { name: 'resource', label: 'Resource' },
      { name: 'unused_since', label: 'Unused since (UTC)', time: true },
    ],
    columns: [
      { label: 'Person', kind: 'name', cell: ({ sub, username }) => linkTo('people', sub, username ?? sub) },
      { label: 'Client', cell: ({ client }) => linkTo('clients', client, client) },
      { label: 'Device', cell: ({ label }) => said(label) },
      { label: 'May', cell: ({ resources }) => said(Object.values(resources).flat().join(', '), 300) },
      { label: 'Last used', kind: 'short', cell: ({ last_used_at: used }) => moment(used) },
      {
        label: 'Act',
        kind: 'act',
        cell: ({ gid }) => context.button(`/admin/authorizations/${encodeURIComponent(gid)}/end`, 'End', true),
      },
    ],
    schema: AUTHORIZATIONS,
    empty: (filtered) =>
      filtered
        ? html`None fits this filter. <a href="/admin/authorizations">Show all</a>.`
        : html`No app is signed in. One shows up here when somebody signs in to it; <a href="/admin/clients/new">add a client</a> first.`,
  })
}

/** Who may have what, by which group. */
export function accessPage(context: PageContext): Promise<PageContent> {
  return listPage(context, {
    place: '/access',
    title: 'Who may what',
    lead: 'What people may be given, and by which of their groups.',
    fields: [
      { name: 'person', label: 'Person' },
      { name: 'group', label: 'Group' },
      { name: 'client', label: 'Client' },
      { name: 'resource', label: 'Resource' },
    ],
    columns: [
      { label: 'Who', kind: 'name', cell: ({ who }) => said(who) },
      { label: 'Resource', kind: 'long', cell: ({ resource }) => code(resource) },
      { label: 'Scope', cell: ({ scope }) => code(scope) },
      {
        label: 'Given',
        cell: ({ given, by, client_limits: limits }) =>
          given
            ? verdictOf('ok', by.length === 0 ? 'yes' : `yes, by ${by.join(', ')}`)
            : verdictOf('no', limits === undefined ? 'no' : `no: ${limits}`),
      },
    ],
    schema: ACCESS,
    empty: () => html`Nobody fits. <a href="/admin/access">Show everybody</a>.`,
  })
}
