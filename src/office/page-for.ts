import { html } from '../issuer/pages/html.ts'
import { decoded } from './acts.ts'
import type { OfficeVisit } from './office-visit.ts'
import { auditPage } from './pages/audit.ts'
import { clientPage, clientsPage, newClientPage } from './pages/clients.ts'
import { decisionPage, decisionsPage, livePage } from './pages/decisions.ts'
import { accessPage, authorizationsPage } from './pages/lists.ts'
import { routePage, routesPage, systemPage } from './pages/machine.ts'
import { overviewPage } from './pages/overview.ts'
import { groupsPage, newPersonPage, peoplePage, personPage } from './pages/people.ts'
import { tryPage } from './pages/try.ts'
import type { PageContent } from './shell.ts'
import type { Visit } from './visit.ts'

const PAGES: Readonly<Record<string, (visit: Visit) => PageContent | Promise<PageContent>>> = {
  '': overviewPage,
  '/decisions': decisionsPage,
  '/try': tryPage,
  '/access': accessPage,
  '/routes': routesPage,
  '/people': peoplePage,
  '/people/new': (visit) => newPersonPage(visit),
  '/groups': groupsPage,
  '/clients': clientsPage,
  '/clients/new': (visit) => newClientPage(visit),
  '/authorizations': authorizationsPage,
  '/audit': auditPage,
  '/system': systemPage,
}

const ONE: Readonly<Record<string, (visit: Visit, id: string) => Promise<PageContent>>> = {
  decisions: decisionPage,
  routes: routePage,
  people: personPage,
  clients: clientPage,
}

/** The page at a path below `/admin`; a text is where to go instead; undefined: nothing is there. */
export async function pageFor(office: OfficeVisit): Promise<PageContent | string | undefined> {
  const { below, visit, parts, session } = office
  const page = Object.hasOwn(PAGES, below) ? PAGES[below] : undefined
  if (page !== undefined) return page(visit)
  if (below === '/find') return find(visit)
  if (below === '/decisions/live') return livePage(visit, parts.signIn.keepsakes.makeTicket(session.guard))
  const [, kind = '', part = '', ...further] = below.split('/')
  const id = decoded(part)
  if (id === undefined || id === '') return undefined
  if (kind === 'again' && further.length === 0) return againPage(office, id)
  const one = Object.hasOwn(ONE, kind) ? ONE[kind] : undefined
  if (one === undefined) return undefined
  // Somebody reloads the address that a form was sent to.
  return further.length === 0 ? one(visit, id) : `/admin/${kind}/${part}`
}

/** A request id, a client or a person, whatever it is. */
async function find(visit: Visit): Promise<string> {
  const q = (visit.query.get('q') ?? '').trim()
  if (q === '') return '/admin'
  for (const kind of ['decisions', 'clients', 'people']) {
    const path = `/${kind}/${encodeURIComponent(q)}`
    if ((await visit.call({ method: 'GET', path })).status === 200) return `/admin${path}`
  }
  return `/admin/people?${new URLSearchParams({ q })}`
}

/** What was asked for before the fresh sign-in, to be confirmed now. */
async function againPage({ parts, session, visit }: OfficeVisit, id: string): Promise<PageContent> {
  const kept = await parts.signIn.keepsakes.lookForm(id, session.user.sub)
  if (kept === undefined) {
    return {
      title: 'This has waited too long',
      lead: 'Nothing was changed. Fill in the form again.',
      content: html`<p><a class="button" href="/admin">To the overview</a></p>`,
      status: 410,
    }
  }
  const fields = [...new URLSearchParams(kept.form)].filter(([name]) => name !== 'etag' && name !== 'decision')
  return {
    title: 'Go on?',
    lead: 'You have signed in again. Nothing was done yet.',
    content: html`<dl class="facts"><div><dt>What</dt><dd><code>${kept.path}</code></dd></div>${fields.map(
      ([name, value]) => html`<div><dt>${name}</dt><dd><bdi>${value}</bdi></dd></div>`,
    )}</dl><div class="acts">${visit.button(`/admin/again/${id}`, 'Go on')}<a class="button" href="/admin">No, go back</a></div>`,
  }
}
