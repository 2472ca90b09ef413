import type { Level } from '../../core/levels.ts'
import type { UserRecord } from '../../store/store.ts'
import { keepDocumentClient } from '../clients/metadata-documents.ts'
import { seconds, siteOf } from '../context.ts'
import { issuerRequestOf } from '../http/request.ts'
import { redirect } from '../http/response.ts'
import { consentPage, deniedPage, type PageResource } from '../pages/consent.ts'
import { deviceApprovalPage } from '../pages/device.ts'
import { OPENID_SCOPES } from '../people/people.ts'
import { type AuthorizationView, answeredConsents, isAsked, startsTicked } from './authorization-view.ts'
import { finish, formTarget, type InteractionContext, sendInteractionPage, viewOf } from './context.ts'
import { pageClient } from './provider-pages.ts'
import { showSignIn } from './sign-in.ts'
import { STEP_UP } from './sign-in-need.ts'

/** The page that says why the person may have nothing of what was asked, and which groups would do. */
export async function showDenied(interaction: InteractionContext): Promise<void> {
  const { context, client, redirectUri, user } = interaction
  if (user === undefined) return showSignIn(interaction)
  const { offers } = await viewOf(interaction, user)
  const resources = offers.map(({ resource, withheld }) => ({
    name: resource.name,
    identifier: resource.identifier,
    groups: [...new Set(withheld.flatMap(({ groups }) => groups))],
    level: withheld.some(({ level }) => level !== undefined),
  }))
  await context.record('authorization.denied', {
    sub: user.sub,
    client: client.id,
    resources: resources.map(({ identifier }) => identifier),
    missing: resources.flatMap(({ groups }) => groups),
  })
  const page = deniedPage({
    site: siteOf(context),
    form: formTarget(interaction, 'deny'),
    client: pageClient(client, redirectUri),
    account: { username: user.username, displayName: user.displayName },
    switchAccount: formTarget(interaction, 'switch'),
    resources,
  })
  sendInteractionPage(interaction, 200, page)
}

/** Goes back to the client with `access_denied`. */
export async function denyAccess(interaction: InteractionContext): Promise<void> {
  const { context, client, details, user } = interaction
  if (details.prompt.reasons.includes(STEP_UP) && details.lastSubmission?.login !== undefined) {
    await context.record('authorization.unmet', { sub: user?.sub, client: client.id })
    if (user !== undefined) await context.stepUps.forget(user.sub, client.id)
    const text = 'this account cannot sign in the way that is needed'
    return finish(interaction, { error: 'unmet_authentication_requirements', error_description: text })
  }
  const denied = details.prompt.name === 'denied'
  if (details.prompt.name === 'consent') {
    await context.record('consent.denied', { sub: user?.sub, client: client.id })
  }
  const description = denied ? 'the person may not have any of what was asked for' : 'the person did not allow it'
  await finish(interaction, { error: 'access_denied', error_description: description })
}

const NOTHING_TICKED = 'Tick what the app may have, or don’t allow anything.'

/** The page that asks what the client may have; in the device flow, whether the device may be connected. */
export async function showConsent(interaction: InteractionContext, problem?: string): Promise<void> {
  const { user } = interaction
  if (user === undefined) return showSignIn(interaction)
  const view = await viewOf(interaction, user)
  const status = problem === undefined ? 200 : 400
  const page =
    interaction.details.deviceCode === undefined
      ? askConsent(interaction, user, view, problem)
      : await askApproval(interaction, user, view, problem)
  if (page === undefined) return redirect(interaction.response, interaction.details.returnTo)
  sendInteractionPage(interaction, status, page)
}

/** Takes the answer. What is given is limited to what the person may give at this moment. */
export async function giveConsent(interaction: InteractionContext): Promise<void> {
  const { context, user, client, details } = interaction
  const { form } = issuerRequestOf(interaction.request)
  if (form.get('decision') !== 'approve') return denyAccess(interaction)
  if (user === undefined) return showSignIn(interaction)
  const view = await viewOf(interaction, user)
  const offered = [...view.shown.values()].flat()
  const chooses = isAsked(client) || details.deviceCode === undefined
  const ticked = chooses ? offered.filter((scope) => form.getAll('scope').includes(scope)) : offered
  if (ticked.length === 0) return showConsent(interaction, NOTHING_TICKED)
  if (isAsked(client)) await keepConsent(interaction, user, view, ticked)
  const kept = [...view.given.values()].flat().filter((scope) => !offered.includes(scope))
  await context.record('consent.granted', {
    sub: user.sub,
    client: client.id,
    scopes: ticked,
    left_out: offered.filter((scope) => !ticked.includes(scope)),
  })
  await finish(interaction, { consent: { sub: user.sub, scopes: [...ticked, ...kept] } })
}

async function keepConsent(
  interaction: InteractionContext,
  user: UserRecord,
  view: AuthorizationView,
  ticked: readonly string[],
): Promise<void> {
  const { context, provider, client } = interaction
  const found = client.origin === 'document' ? await provider.Client.find(client.id) : undefined
  if (found !== undefined) await keepDocumentClient(context, found)
  await context.store.putConsents(answeredConsents(context, view, { sub: user.sub, clientId: client.id }, ticked))
}

function askConsent(
  interaction: InteractionContext,
  user: UserRecord,
  view: AuthorizationView,
  problem: string | undefined,
): string {
  const { context, client, redirectUri } = interaction
  const https = redirectUri?.startsWith('https://') === true
  return consentPage({
    site: siteOf(context),
    form: formTarget(interaction, 'consent'),
    client: pageClient(client, redirectUri),
    account: { username: user.username, displayName: user.displayName },
    switchAccount: formTarget(interaction, 'switch'),
    resources: pageResources(interaction, view),
    remembered: isAsked(client) && (client.origin === 'operator' || client.secretHash !== undefined || https),
    problem,
  })
}

async function askApproval(
  interaction: InteractionContext,
  user: UserRecord,
  view: AuthorizationView,
  problem: string | undefined,
): Promise<string | undefined> {
  const { context, provider, client, details } = interaction
  const code = await provider.DeviceCode.find(details.deviceCode ?? '', { ignoreExpiration: true })
  if (code === undefined) return undefined
  const { address, device, at } = code.deviceInfo ?? {}
  return deviceApprovalPage({
    site: siteOf(context),
    form: formTarget(interaction, 'consent'),
    client: pageClient(client, undefined),
    account: { username: user.username, displayName: user.displayName },
    switchAccount: formTarget(interaction, 'switch'),
    userCode: String(code.userCode ?? '').replace(/^(.{4})(.{4})$/, '$1-$2'),
    resources: pageResources(interaction, view),
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

function pageResources(interaction: InteractionContext, view: AuthorizationView): readonly PageResource[] {
  const ticked =
    interaction.request.method === 'POST' ? issuerRequestOf(interaction.request).form.getAll('scope') : undefined
  const boxes = (resource: string, words: (scope: string) => string) =>
    (view.shown.get(resource) ?? []).map((scope) => ({
      scope,
      description: words(scope),
      ticked: ticked?.includes(scope) ?? startsTicked(interaction.client, view, resource, scope),
    }))
  const requested = view.offers.map(({ resource, withheld }) => ({
    name: resource.name,
    identifier: resource.identifier,
    scopes: [
      ...boxes(resource.identifier, (scope) => describe(resource.scopes, scope)),
      ...withheld.map(({ scope, groups, level }) => ({
        scope,
        description: describe(resource.scopes, scope),
        ticked: false,
        unavailable: level === undefined ? withheldReason(groups) : levelReason(level),
      })),
    ],
  }))
  const own = { name: 'Who you are', identifier: '', scopes: boxes('', (scope) => describe(OPENID_SCOPES, scope)) }
  return [...requested, own].filter(({ scopes }) => scopes.length > 0)
}

function describe(words: ReadonlyMap<string, string>, scope: string): string {
  return words.get(scope) ?? scope
}

function levelReason(level: Level): string {
  const what = level === 'phr' ? 'a passkey' : 'a passkey, or an authenticator app beside your password'
  return `It needs a sign-in with ${what}, which your account doesn’t have. You can add one under your account.`
}

function withheldReason(groups: readonly string[]): string {
  if (groups.length === 0) return 'No group is given it.'
  return groups.length === 1
    ? `It is for people in the group ${groups.join('')}.`
    : `It is for people in one of the groups ${groups.join(', ')}.`
}
