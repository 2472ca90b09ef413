import { html } from '../issuer/pages/html.ts'
import { decoded } from './acts.ts'
import type { SignedInRequest } from './office-request.ts'
import type { PageContext } from './page-context.ts'
import { auditPage } from './pages/audit.ts'
import { clientPage, clientsPage, newClientPage } from './pages/clients.ts'
import { decisionPage, decisionsPage, livePage } from './pages/decisions.ts'
import { accessPage, authorizationsPage } from './pages/lists.ts'
import { routePage, routesPage, systemPage } from './pages/machine.ts'
import { overviewPage } from './pages/overview.ts'
import { groupsPage, newPersonPage, peoplePage, personPage } from './pages/people.ts'
import { tryPage } from './pages/try.ts'
import type { PageContent } from './shell.ts'

const PAGES: Readonly<Record<string, (context: PageContext) => PageContent | Promise<PageContent>>> = {
  '': overviewPage,
  '/decisions': decisionsPage,
  '/try': tryPage,
  '/access': accessPage,
  '/routes': routesPage,
  '/people': peoplePage,
  '/people/new': (context) => newPersonPage(context),
  '/groups': groupsPage,
  '/clients': clientsPage,
  '/clients/new': (context) => newClientPage(context),
  '/authorizations': authorizationsPage,
  '/audit': auditPage,
  '/system': systemPage,
}

const ONE: Readonly<Record<string, (context: PageContext, id: string) => Promise<PageContent>>> = {
  decisions: decisionPage,
  routes: routePage,
  people: personPage,
  clients: clientPage,
}

/** The page at a path below `/admin`; a text is where to go instead; undefined: nothing is there. */
export async function pageFor(signedIn: SignedInRequest): Promise<PageContent | string | undefined> {
  const { below, context, parts, session } = signedIn
  const page = Object.hasOwn(PAGES, below) ? PAGES[below] : undefined
  if (page !== undefined) return page(context)
  if (below === '/find') return find(context)
  if (below === '/decisions/live') return livePage(context, parts.signIn.keepsakes.makeTicket(session.guard))
  const [, kind = '', part = '', ...further] = below.split('/')
  const id = decoded(part)
  if (id === undefined || id === '') return undefined
  if (kind === 'again' && further.length === 0) return againPage(signedIn, id)
  const one = Object.hasOwn(ONE, kind) ? ONE[kind] : undefined
  if (one === undefined) return undefined
  // Somebody reloads the address that a form was sent to.
  return further.length === 0 ? one(context, id) : `/admin/${kind}/${part}`
}

/** A request id, a client or a person, whatever it is. */
async function find(context: PageContext): Promise<string> {
  const q = (context.query.get('q') ?? '').trim()
  if (q === '') return '/admin'
  for (const kind of ['decisions', 'clients', 'people']) {
    const path = `/${kind}/${encodeURIComponent(q)}`
    if ((await context.call({ method: 'GET', path })).status === 200) return `/admin${path}`
  }
  return `/admin/people?${new URLSearchParams({ q })}`
}

/** What was asked for before the fresh sign-in, to be confirmed now. */
async function againPage({ parts, session, context }: SignedInRequest, id: string): Promise<PageContent> {
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
    )}</dl><div class="acts">${context.button(`/admin/again/${id}`, 'Go on')}<a class="button" href="/admin">No, go back</a></div>`,
  }
}
