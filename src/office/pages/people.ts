import type { z } from 'zod'
import { AUDIT } from '../../admin/api/audit.ts'
import { AUTHORIZATIONS } from '../../admin/api/authorizations.ts'
import { FACTORS } from '../../admin/api/factors.ts'
import { GROUPS } from '../../admin/api/groups.ts'
import { PEOPLE, PERSON_DETAIL, SESSIONS } from '../../admin/api/people.ts'
import { type Html, html } from '../../issuer/pages/html.ts'
import { apiPath } from '../api.ts'
import { listPage } from '../list-page.ts'
import type { PageContext } from '../page-context.ts'
import { code, facts, input, link, linkTo, moment, said, stateOf, table } from '../parts.ts'
import type { PageContent } from '../shell.ts'
import { byOf } from './audit.ts'

/** Everybody with an account. */
export function peoplePage(context: PageContext): Promise<PageContent> {
  return listPage(context, {
    place: '/people',
    title: 'People',
    acts: html`<a class="button primary" href="/admin/people/new">Invite somebody</a>`,
    fields: [
      { name: 'q', label: 'Name or mail' },
      { name: 'group', label: 'Group' },
      { name: 'state', label: 'State', options: ['active', 'disabled'] },
    ],
    columns: [
      { label: 'User name', kind: 'name', cell: ({ sub, username }) => linkTo('people', sub, username) },
      { label: 'Name', cell: ({ name }) => said(name) },
      { label: 'Groups', cell: ({ groups }) => said(groups.join(', '), 300) },
      { label: 'State', cell: ({ state }) => stateOf(state) },
      { label: 'Added', kind: 'short', cell: ({ created_at: at }) => moment(at) },
    ],
    schema: PEOPLE,
    empty: () =>
      html`Nobody fits. <a href="/admin/people">Show everybody</a>, or <a href="/admin/people/new">invite somebody</a>.`,
  })
}

/** The form that invites: account, groups and link in one. */
export async function newPersonPage(context: PageContext, problem?: string): Promise<PageContent> {
  const groups = await context.all('/groups', GROUPS)
  const typed = (name: string): string => context.query.get(name) ?? ''
  return {
    title: 'Invite somebody',
    lead: 'They get a link that sets a password once. The link is shown to you on the next page, and never again.',
    content: html`${problemOf(problem)}${context.form(
      '/admin/people',
      html`${input({ name: 'username', label: 'User name', required: true, value: typed('username') })}
${input({ name: 'name', label: 'Name (may be left out)', value: typed('name') })}
${input({ name: 'email', label: 'Mail address (may be left out)', value: typed('email') })}
${groupBoxes(groups, context.query.getAll('groups'))}
<label class="choice"><input type="checkbox" name="mail" value="true"> Send the link by mail, too</label>
<div class="actions"><button class="button primary" type="submit">Invite</button></div>`,
    )}`,
  }
}

interface GroupRow {
  readonly name: string
  readonly gives: readonly { readonly name: string; readonly scopes: readonly { readonly scope: string }[] }[]
}

/** Boxes of groups, each with what it gives: who ticks one sees what it means. */
function groupBoxes(groups: readonly GroupRow[], chosen: readonly string[]): Html {
  const boxes = groups.map(({ name, gives }) => {
    const words = gives.map((each) => `${each.name}: ${each.scopes.map(({ scope }) => scope).join(', ')}`).join(' · ')
    const box = chosen.includes(name)
      ? html`<input type="checkbox" name="groups" value="${name}" checked>`
      : html`<input type="checkbox" name="groups" value="${name}">`
    return html`<li><label>${box} <strong>${said(name)}</strong> <span class="hint">${said(words || 'gives nothing', 300)}</span></label></li>`
  })
  return html`<fieldset class="field"><legend>Groups, and what each gives</legend><ul class="plain">${boxes}</ul></fieldset>`
}

/** A person with what they get, hold, and how to end it. */
export async function personPage(context: PageContext, sub: string): Promise<PageContent> {
  const at = `/people/${encodeURIComponent(sub)}`
  const answer = await context.call({ method: 'GET', path: at })
  const person = await context.get(at, PERSON_DETAIL)
  const [groups, authorizations, sessions, factors, history] = await Promise.all([
    context.all('/groups', GROUPS),
    context.get(apiPath('/authorizations', { person: person.sub }), AUTHORIZATIONS),
    context.get(`${at}/sessions`, SESSIONS),
    context.get(`${at}/factors`, FACTORS),
    context.get(apiPath('/audit', { person: person.sub, limit: '20' }), AUDIT),
  ])
  const here = `/admin${at}`
  const disabled = person.state === 'disabled'
  return {
    title: person.username,
    lead: html`${stateOf(person.state)} ${person.name !== undefined && html`· ${said(person.name)}`} ${person.email !== undefined && html`· ${said(person.email)}`} · added ${moment(person.created_at)}`,
    content: html`<div class="acts">
${disabled ? context.button(`${here}/enable`, 'Enable') : context.button(`${here}/disable`, 'Disable', true)}
${context.button(`${here}/sign-out`, 'Sign out everywhere', true)}
<a class="button" href="${`/admin/try?${new URLSearchParams({ person: person.username })}`}">Try access</a></div>
<section aria-labelledby="gives"><h2 id="gives">May use</h2>${table(
      'May use',
      [
        { label: 'Resource', kind: 'name', cell: ({ name }) => said(name) },
        { label: 'Scopes', cell: ({ scopes }) => said(scopes.map(({ scope }) => scope).join(', '), 300) },
        { label: 'By group', cell: ({ scopes }) => said([...new Set(scopes.flatMap(({ by }) => by))].join(', ')) },
      ],
      person.gives,
      html`Nothing: none of their groups is granted anything.`,
    )}</section>
<section aria-labelledby="auth"><h2 id="auth">Signed in with</h2>${table(
      'Authorizations',
      [
        { label: 'Client', kind: 'name', cell: ({ client }) => linkTo('clients', client, client) },
        { label: 'Device', cell: ({ label }) => said(label) },
        { label: 'May', cell: ({ resources }) => said(Object.values(resources).flat().join(', '), 300) },
        { label: 'Since', kind: 'short', cell: ({ since }) => moment(since) },
        { label: 'Last used', kind: 'short', cell: ({ last_used_at: used }) => moment(used) },
        {
          label: 'Act',
          kind: 'act',
          cell: ({ gid }) => context.button(`/admin/authorizations/${encodeURIComponent(gid)}/end`, 'End', true),
        },
      ],
      authorizations.items,
      html`No app is signed in for this person.`,
    )}${authorizations.next !== undefined && html`<p>${link(`/admin/authorizations?${new URLSearchParams({ person: person.sub })}`, 'All of them')}</p>`}</section>
<section aria-labelledby="browsers"><h2 id="browsers">Browsers</h2>${table(
      'Browsers',
      [
        { label: 'Browser', kind: 'name', cell: ({ browser }) => said(browser || 'A browser') },
        { label: 'Address', cell: ({ address }) => code(address) },
        { label: 'Since', kind: 'short', cell: ({ since }) => moment(since) },
        { label: 'Last seen', kind: 'short', cell: ({ seen }) => moment(seen) },
        {
          label: 'Act',
          kind: 'act',
          cell: ({ id }) => context.button(`${here}/sessions/${encodeURIComponent(id)}/end`, 'End', true),
        },
      ],
      sessions.items,
      html`No browser is signed in.`,
    )}</section>
<section aria-labelledby="factors"><h2 id="factors">Ways to sign in</h2>${table(
      'Ways to sign in',
      [
        { label: 'Kind', kind: 'name', cell: ({ kind }) => said(kind.replaceAll('_', ' ')) },
        { label: 'Name', cell: ({ name, left }) => said(left === undefined ? name : `${left} left`) },
        {
          label: 'Act',
          kind: 'act',
          // A password goes by a link that sets another; codes go with their app.
          cell: ({ id, kind }) =>
            kind === 'passkey' || kind === 'authenticator'
              ? context.button(`${here}/factors/${encodeURIComponent(id)}/remove`, 'Remove', true)
              : html``,
        },
      ],
      factors.items,
      html`None yet. Make a link and send it to them.`,
    )}</section>
${linksSection(context, here, person, factors.items.length === 0)}
<section aria-labelledby="edit"><h2 id="edit">Change</h2>${context.form(
      `${here}/change`,
      html`${input({ name: 'name', label: 'Name', value: person.name ?? '' })}${input({ name: 'email', label: 'Mail address', value: person.email ?? '' })}
${groupBoxes(withOwn(groups, person.groups), person.groups)}
<div class="actions"><button class="button" type="submit">Save</button></div>`,
      { etag: answer.headers.etag ?? '' },
    )}</section>
<section aria-labelledby="history"><h2 id="history">History</h2>${table(
      'History',
      [
        { label: 'Event', kind: 'name', cell: ({ event }) => code(event) },
        { label: 'By', cell: byOf },
        { label: 'When', kind: 'short', cell: ({ at: when }) => moment(when) },
      ],
      history.items,
      html`Nothing is written down of this person.`,
    )}<p>${link(`/admin/audit?${new URLSearchParams({ person: person.sub })}`, 'All of it')} · ${link(`/admin/audit?${new URLSearchParams({ by: person.sub })}`, 'What they did')} · ${link(`/admin/decisions?${new URLSearchParams({ person: person.sub, outcome: 'refused' })}`, 'What was refused to them')}</p></section>
${facts([['Identifier', html`<code data-copy="">${person.sub}</code>`]])}`,
  }
}

/** Links that are open, and the form that makes another. */
function linksSection(
  context: PageContext,
  here: string,
  { links, email }: z.output<typeof PERSON_DETAIL>,
  isNew: boolean,
): Html {
  const mailable = email !== undefined
  const what = isNew
    ? 'An invitation sets the first way to sign in.'
    : 'A recovery link sets a new password. All that the person has signed in ends when it is used, not before.'
  return html`<section aria-labelledby="links"><h2 id="links">One-time links</h2>${table(
    'One-time links',
    [
      { label: 'Kind', kind: 'name', cell: ({ kind }) => said(kind === 'invite' ? 'invitation' : 'recovery') },
      { label: 'By', cell: ({ by, maker }) => (maker === undefined ? said(by) : linkTo('people', by, maker)) },
      { label: 'Good until', kind: 'short', cell: ({ expires_at: until }) => moment(until) },
      {
        label: 'Act',
        kind: 'act',
        cell: ({ id }) => context.button(`${here}/links/${encodeURIComponent(id)}/void`, 'Void', true),
      },
    ],
    links,
    html`No link is open.`,
  )}
${context.form(
  `${here}/links`,
  html`<p class="hint">${what}</p>${mailable && html`<label class="choice"><input type="checkbox" name="mail" value="true"> Send it by mail, too</label>`}
<div class="actions"><button class="button" type="submit">${isNew ? 'New invitation' : 'New recovery link'}</button></div>`,
  { kind: isNew ? 'invite' : 'recover' },
)}</section>`
}

function withOwn(groups: readonly GroupRow[], own: readonly string[]): readonly GroupRow[] {
  const known = new Set(groups.map(({ name }) => name))
  return [...groups, ...own.filter((name) => !known.has(name)).map((name) => ({ name, gives: [] }))]
}

/** What went wrong with a form, above it. */
export function problemOf(problem: string | undefined): Html {
  return problem === undefined ? html`` : html`<p class="notice problem" role="alert">${said(problem, 500)}</p>`
}

/** Groups, who is in them and what they give. */
export async function groupsPage(context: PageContext): Promise<PageContent> {
  const groups = await context.all('/groups', GROUPS)
  return {
    title: 'Groups',
    lead: 'Groups decide what people may be given. They come from people’s accounts and from routes.yaml.',
    content: table(
      'Groups',
      [
        {
          label: 'Group',
          kind: 'name',
          cell: ({ name }) => link(`/admin/people?${new URLSearchParams({ group: name })}`, name),
        },
        { label: 'People', kind: 'number', cell: ({ members }) => html`${members}` },
        {
          label: 'Gives',
          kind: 'long',
          cell: ({ gives }) =>
            said(
              gives.map((each) => `${each.name}: ${each.scopes.map(({ scope }) => scope).join(', ')}`).join(' · '),
              500,
            ),
        },
      ],
      groups,
      html`There is no group. Name one in \`grants\` of routes.yaml.`,
    ),
  }
}
