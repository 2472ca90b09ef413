import type { UserRecord } from '../store/store.ts'
import { type AuthorizationView, answeredConsents, isAsked } from './authorization-view.ts'
import { keepDocumentClient } from './client-documents.ts'
import { denyAccess } from './denied-step.ts'
import { incomingOf } from './incoming.ts'
import { seconds, siteOf } from './issuer-context.ts'
import { pageClient } from './library-pages.ts'
import { redirect, sendPage } from './page-answer.ts'
import { consentPage } from './pages/consent.ts'
import { deviceApprovalPage } from './pages/device.ts'
import type { PageResource } from './pages/resource-list.ts'
import { OPENID_SCOPES } from './people.ts'
import { formActions, formTarget, showSignIn } from './sign-in-step.ts'
import { finish, type Visit, viewOf } from './visit.ts'

const NOTHING_TICKED = 'Tick what the app may have, or don’t allow anything.'

/** The page that asks what the client may have; in the device flow, whether the device may be connected. */
export async function showConsent(visit: Visit, problem?: string): Promise<void> {
  const { user } = visit
  if (user === undefined) return showSignIn(visit)
  const view = await viewOf(visit, user)
  const status = problem === undefined ? 200 : 400
  const page =
    visit.interaction.deviceCode === undefined
      ? askConsent(visit, user, view, problem)
      : await askApproval(visit, user, view, problem)
  if (page === undefined) return redirect(visit.response, visit.interaction.returnTo)
  sendPage(visit.response, status, page, { formAction: formActions(visit) })
}

/** Takes the answer. What is given is limited to what the person may give at this moment. */
export async function giveConsent(visit: Visit): Promise<void> {
  const { context, user, client, interaction } = visit
  const { form } = incomingOf(visit.request)
  if (form.get('decision') !== 'approve') return denyAccess(visit)
  if (user === undefined) return showSignIn(visit)
  const view = await viewOf(visit, user)
  const offered = [...view.shown.values()].flat()
  const chooses = isAsked(client) || interaction.deviceCode === undefined
  const ticked = chooses ? offered.filter((scope) => form.getAll('scope').includes(scope)) : offered
  if (ticked.length === 0) return showConsent(visit, NOTHING_TICKED)
  if (isAsked(client)) await keepConsent(visit, user, view, ticked)
  const kept = [...view.given.values()].flat().filter((scope) => !offered.includes(scope))
  await context.record('consent.granted', {
    sub: user.sub,
    client: client.id,
    scopes: ticked,
    left_out: offered.filter((scope) => !ticked.includes(scope)),
  })
  await finish(visit, { consent: { scopes: [...ticked, ...kept] } })
}

async function keepConsent(
  visit: Visit,
  user: UserRecord,
  view: AuthorizationView,
  ticked: readonly string[],
): Promise<void> {
  const { context, provider, client } = visit
  const found = client.origin === 'document' ? await provider.Client.find(client.id) : undefined
  if (found !== undefined) await keepDocumentClient(context, found)
  await context.store.putConsents(answeredConsents(context, view, { sub: user.sub, clientId: client.id }, ticked))
}

function askConsent(visit: Visit, user: UserRecord, view: AuthorizationView, problem: string | undefined): string {
  const { context, client, redirectUri } = visit
  const https = redirectUri?.startsWith('https://') === true
  return consentPage({
    site: siteOf(context),
    form: formTarget(visit, 'consent'),
    client: pageClient(client, redirectUri),
    account: { username: user.username, displayName: user.displayName },
    switchAccount: formTarget(visit, 'switch'),
    resources: pageResources(visit, view),
    remembered: isAsked(client) && (client.origin === 'operator' || client.secretHash !== undefined || https),
    problem,
  })
}

async function askApproval(
  visit: Visit,
  user: UserRecord,
  view: AuthorizationView,
  problem: string | undefined,
): Promise<string | undefined> {
  const { context, provider, client, interaction } = visit
  const code = await provider.DeviceCode.find(interaction.deviceCode ?? '', { ignoreExpiration: true })
  if (code === undefined) return undefined
  const { address, device, at } = code.deviceInfo ?? {}
  return deviceApprovalPage({
    site: siteOf(context),
    form: formTarget(visit, 'consent'),
    client: pageClient(client, undefined),
    account: { username: user.username, displayName: user.displayName },
    switchAccount: formTarget(visit, 'switch'),
    userCode: String(code.userCode ?? '').replace(/^(.{4})(.{4})$/, '$1-$2'),
    resources: pageResources(visit, view),
    choosable: isAsked(client),
    origin: {
      address: String(address ?? ''),
      device: typeof device === 'string' && device !== '' ? device : undefined,
      at: Number(at ?? seconds(context)),
      now: seconds(context),
    },
    problem,
  })
}

function pageResources(visit: Visit, view: AuthorizationView): readonly PageResource[] {
  const ticked = visit.request.method === 'POST' ? incomingOf(visit.request).form.getAll('scope') : undefined
  const boxes = (resource: string, words: (scope: string) => string) =>
    (view.shown.get(resource) ?? []).map((scope) => ({
      scope,
      description: words(scope),
      ticked: ticked?.includes(scope) ?? true,
    }))
  const asked = view.offers.map(({ resource, withheld }) => ({
    name: resource.name,
    identifier: resource.identifier,
    scopes: [
      ...boxes(resource.identifier, (scope) => describe(resource.scopes, scope)),
      ...withheld.map(({ scope, groups }) => ({
        scope,
        description: describe(resource.scopes, scope),
        ticked: false,
        unavailable: withheldReason(groups),
      })),
    ],
  }))
  const own = { name: 'Who you are', identifier: '', scopes: boxes('', (scope) => describe(OPENID_SCOPES, scope)) }
  return [...asked, own].filter(({ scopes }) => scopes.length > 0)
}

function describe(words: ReadonlyMap<string, string>, scope: string): string {
  return words.get(scope) ?? scope
}

function withheldReason(groups: readonly string[]): string {
  if (groups.length === 0) return 'No group is given it.'
  return groups.length === 1
    ? `It is for people in the group ${groups.join('')}.`
    : `It is for people in one of the groups ${groups.join(', ')}.`
}
