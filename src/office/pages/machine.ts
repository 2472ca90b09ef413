import type { z } from 'zod'
import { CHECKED } from '../../admin/api/config-check.ts'
import { ROUTE, ROUTES } from '../../admin/api/policy-reads.ts'
import { KEYS, SYSTEM } from '../../admin/api/system.ts'
import { html } from '../../issuer/pages/html.ts'
import { bodyOf } from '../api.ts'
import type { PageContext } from '../page-context.ts'
import { code, facts, input, linkTo, moment, said, stateOf, table } from '../parts.ts'
import type { PageContent } from '../shell.ts'

/** Routes in file order: the first that matches decides. */
export async function routesPage(context: PageContext): Promise<PageContent> {
  const routes = await context.all('/routes', ROUTES)
  return {
    title: 'Routes',
    lead: 'As routes.yaml has them, in its order. This page shows the file; it never writes it.',
    content: table(
      'Routes',
      [
        { label: 'Route', kind: 'name', cell: ({ id }) => linkTo('routes', id, id) },
        { label: 'Place', kind: 'long', cell: ({ host, path }) => code(`${host ?? ''}${path}`) },
        { label: 'Resource', kind: 'long', cell: ({ resource }) => code(resource ?? 'public') },
        { label: 'Rules', kind: 'number', cell: ({ rules }) => html`${rules.length}` },
        {
          label: 'Upstreams',
          cell: ({ upstreams }) => html`${upstreams.map(({ url, state }) => html`<div>${stateOf(state, url)}</div>`)}`,
        },
      ],
      routes,
      html`There is no route. Add one to routes.yaml.`,
    ),
  }
}

/** The effective policy of one route. */
export async function routePage(context: PageContext, id: string): Promise<PageContent> {
  const route = await context.get(`/routes/${encodeURIComponent(id)}`, ROUTE)
  return {
    title: route.id,
    lead: html`${code(`${route.host ?? ''}${route.path}`)}${route.line !== undefined && html` · line ${route.line} of routes.yaml`}`,
    content: html`${facts([
      [
        'Access',
        html`${route.access === 'public' ? 'public: no token is needed' : 'only with a token of its resource'}`,
      ],
      ['Resource', code(route.resource)],
      ['Credentials', said(route.credentials.join(', '))],
      ['Open without a token', said(openOf(route), 500)],
      [
        'Headers that it adds',
        said(route.set_headers.map(({ name, value }) => `${name}: ${value}`).join(', ') || 'none', 500),
      ],
    ])}
<section aria-labelledby="rules"><h2 id="rules">Rules</h2>${table(
      'Rules',
      [
        { label: 'Methods', kind: 'name', cell: ({ methods }) => code(methods.join(' ')) },
        { label: 'Paths', kind: 'long', cell: ({ paths }) => code(paths.join(' ') || 'all') },
        { label: 'Scopes', cell: ({ scopes }) => code(scopes.join(' ')) },
        {
          label: 'Who may have them',
          cell: ({ groups }) =>
            said(groups.map((each) => `${each.scope}: ${each.groups.join(', ') || 'nobody'}`).join(' · '), 500),
        },
        { label: 'Sign-in', cell: ({ acr, max_age: maxAge }) => said(signInOf(acr, maxAge)) },
      ],
      route.rules,
      html`${route.access === 'public' ? 'It needs none: the route is public.' : 'There is no rule: every request is refused.'}`,
    )}<p class="hint">The first rule that matches decides. What none matches is refused.</p></section>
<section aria-labelledby="up"><h2 id="up">Upstreams</h2>${table(
      'Upstreams',
      [
        { label: 'Address', kind: 'name', cell: ({ url }) => code(url) },
        { label: 'State', cell: ({ state }) => stateOf(state) },
      ],
      route.upstreams,
      html`It has none.`,
    )}</section>
<p><a class="button" href="${`/admin/decisions?${new URLSearchParams({ route: id, outcome: 'refused' })}`}">What was refused here</a></p>`,
  }
}

function openOf({ public_paths: paths, public_methods: methods }: z.output<typeof ROUTE>): string {
  if (paths.length === 0) return 'nothing'
  return `${paths.join(', ')} (${methods.join(' ')})`
}

const LEVELS = { pwd: 'any', mfa: 'with a second factor', phr: 'with a passkey' } as const

function signInOf(acr: keyof typeof LEVELS | undefined, maxAge: number | undefined): string {
  const age = maxAge === undefined ? [] : [`of the last ${maxAge % 60 === 0 ? `${maxAge / 60} min` : `${maxAge} s`}`]
  return [...(acr === undefined ? [] : [LEVELS[acr]]), ...age].join(', ') || 'any'
}

/** The process, its file and its keys. */
export async function systemPage(context: PageContext): Promise<PageContent> {
  const [system, keys] = await Promise.all([context.get('/system', SYSTEM), context.get('/keys', KEYS)])
  const { config } = system
  const refused = config.last_refused
  return {
    title: 'System',
    lead: html`audgate ${system.version}, started ${moment(system.started_at)}`,
    content: html`${refused !== undefined && html`<p class="notice problem" role="alert">The file of ${moment(refused.at)} was refused (${refused.problems.length} problems). The one before is in force.</p><ul>${refused.problems.map((problem) => html`<li>${said(typeof problem === 'string' ? problem : JSON.stringify(problem), 500)}</li>`)}</ul>`}
${facts([
  ['File', code(config.file)],
  ['Its digest', code(config.digest)],
  ['Put in force', moment(config.since)],
  ['Restart needed for', said(config.restart_for.join(', ') || 'nothing')],
  ['Workers', html`${system.workers}`],
  ['Instances', html`${system.instances}`],
  [
    'Store',
    html`${system.store.fault === undefined ? stateOf('ok', system.store.kind) : stateOf('failed', system.store.fault)}`,
  ],
  ['Followers of the feed', html`${system.feed.followers}`],
])}
<section aria-labelledby="keys"><h2 id="keys">Signing keys</h2>${table(
      'Signing keys',
      [
        { label: 'Key', kind: 'name', cell: ({ kid }) => code(kid) },
        { label: 'Algorithm', cell: ({ alg }) => said(alg) },
        { label: 'State', cell: ({ state }) => stateOf(state) },
        { label: 'Since', cell: ({ since }) => moment(since) },
        { label: 'Until', cell: ({ until }) => (until === undefined ? said('') : moment(until)) },
      ],
      keys.items,
      html`There is no key.`,
    )}<div class="acts">${context.button('/admin/keys/rotate', 'Rotate keys')}</div></section>
<section aria-labelledby="check"><h2 id="check">Check a file</h2><p>Paste a routes.yaml to see its problems and who would gain or lose what. Nothing is put in force.</p>${context.form(
      '/admin/system/check',
      html`${input({ name: 'text', label: 'routes.yaml', rows: 10, required: true })}<div class="actions"><button class="button" type="submit">Check</button></div>`,
    )}</section>`,
  }
}

/** What a pasted file would do. */
export async function checkedPage(context: PageContext, text: string): Promise<PageContent> {
  const { problems, changes, access } = bodyOf(
    await context.call({ method: 'POST', path: '/config/check', body: { text } }),
    CHECKED,
  )
  const lines = (items: readonly unknown[]) =>
    html`<ul>${items.map((item) => html`<li>${said(typeof item === 'string' ? item : JSON.stringify(item), 400)}</li>`)}</ul>`
  return {
    title: problems.length > 0 ? 'The file has problems' : 'The file is good',
    lead: html`Nothing was put in force. <a href="/admin/system">Back to the system</a>.`,
    content: html`${
      problems.length > 0 &&
      table(
        'Problems',
        [
          { label: 'Place', kind: 'name', cell: ({ line, column }) => code(`${line}:${column}`) },
          { label: 'Problem', kind: 'long', cell: ({ message }) => said(message, 500) },
        ],
        problems,
        html`None.`,
      )
    }
<section><h2>Changes</h2>${changes.length > 0 ? lines(changes) : html`<p>It changes nothing.</p>`}</section>
${access !== undefined && access !== null && html`<div class="columns"><section><h2>Gains</h2>${access.gains.length > 0 ? lines(access.gains) : html`<p>Nobody gains anything.</p>`}</section><section><h2>Loses</h2>${access.loses.length > 0 ? lines(access.loses) : html`<p>Nobody loses anything.</p>`}</section></div>`}`,
  }
}
