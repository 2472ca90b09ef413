import type { Client, KoaContextWithOIDC } from 'oidc-provider'
import type { ClientRecord, ConsentRecord, UserRecord } from '../../store/store.ts'
import { reservedClient } from '../clients/reserved.ts'
import { type IssuerContext, seconds } from '../context.ts'
import { OPENID_SCOPES } from '../people/people.ts'
import { type Grantable, isDenied, offer } from '../tokens/policy.ts'
import { readParameters } from '../tokens/resource-indicators.ts'
import { splitScope } from '../tokens/token-gate.ts'
import { withinReach } from './reachable-level.ts'

/** A client as far as consent goes. Those with a metadata document may not be in the store yet. */
export type ConsentingClient = Pick<ClientRecord, 'id' | 'name' | 'thirdParty' | 'origin' | 'secretHash'> & {
  /** What it published of itself (RFC 7591 §2); the operator's own clients have none. */
  readonly addresses: readonly { readonly label: string; readonly url: string }[]
}

interface AuthorizationRequest {
  readonly user: UserRecord
  readonly client: ConsentingClient
  /** The parameters of the request, as the library keeps them. */
  readonly parameters: Readonly<Record<string, unknown>>
  /** The level of the sign-in in hand, as it says it. */
  readonly acr: unknown
  /** By the device flow: always asked. */
  readonly device: boolean
  /** The scopes that the person has just ticked; undefined: not asked yet. */
  readonly ticked: readonly string[] | undefined
}

/** What one person may give one client, what is given already and what has to be asked. OpenID scopes stand under ''. */
export interface AuthorizationView {
  readonly offers: readonly Grantable[]
  readonly openId: readonly string[]
  /** Something was asked for, and this person may have nothing of it. */
  readonly denied: boolean
  /** Resource → scopes that are given without asking, or were ticked. */
  readonly given: ReadonlyMap<string, readonly string[]>
  /** Whether the person has to be asked. */
  readonly asks: boolean
  /** Resource → scopes to be shown when the person is asked. */
  readonly shown: ReadonlyMap<string, readonly string[]>
  readonly consents: readonly ConsentRecord[]
}

/** Judges an authorization request for the person in hand. Throws the library's error for a request that can't be. */
export async function viewAuthorization(
  context: IssuerContext,
  request: AuthorizationRequest,
): Promise<AuthorizationView> {
  const { user, client, parameters, ticked } = request
  const shares = readParameters(context, parameters.resource, parameters.scope)
  const may = offer(shares, { kind: 'person', groups: user.groups })
  const offers = await withinReach(context, user, request.acr, may)
  const openId = splitScope(String(parameters.scope ?? '')).filter((scope) => OPENID_SCOPES.has(scope))
  const consents = await context.store.consents({ sub: user.sub, clientId: client.id })
  const offered = new Map<string, readonly string[]>(offers.map((each) => [each.resource.identifier, each.scopes]))
  if (openId.length > 0) offered.set('', openId)
  const all = alwaysAsks(request) || splitScope(String(parameters.prompt ?? '')).includes('consent')
  const answered = ticked ?? (alwaysAsks(request) ? [] : undefined)
  const given = mapEach(offered, (resource, scopes) => {
    if (answered !== undefined) return scopes.filter((scope) => answered.includes(scope))
    return isAsked(client) ? scopes.filter((scope) => granted(consents, resource).includes(scope)) : scopes
  })
  const shown = mapEach(offered, (resource, scopes) =>
    all ? scopes : scopes.filter((scope) => !rejected(consents, resource).includes(scope)),
  )
  const open = [...shown].some(([resource, scopes]) => scopes.some((scope) => !given.get(resource)?.includes(scope)))
  const asks = ticked === undefined && (alwaysAsks(request) || open)
  return { offers, openId, denied: isDenied(offers), given, asks, shown, consents }
}

/** The consents to keep when `ticked` of what was shown is given: what was shown and left out is not asked again. */
export function answeredConsents(
  context: IssuerContext,
  view: AuthorizationView,
  who: { readonly sub: string; readonly clientId: string },
  ticked: readonly string[],
): readonly ConsentRecord[] {
  return [...view.shown].map(([resource, scopes]) => {
    const before = view.consents.find((consent) => consent.resource === resource)
    const others = (list: readonly string[] = []) => list.filter((scope) => !scopes.includes(scope))
    return {
      ...who,
      resource,
      granted: [...others(before?.granted), ...scopes.filter((scope) => ticked.includes(scope))],
      rejected: [...others(before?.rejected), ...scopes.filter((scope) => !ticked.includes(scope))],
      since: before?.since ?? seconds(context),
    }
  })
}

/** The client as the store has it; a stand-in for one with a metadata document. */
export async function consentingClient(context: IssuerContext, client: Client): Promise<ConsentingClient> {
  const kept = reservedClient(client.clientId) ?? (await context.store.client(client.clientId))
  const name = String(client.clientName ?? client.clientId)
  const stands = kept ?? { id: client.clientId, name, thirdParty: true, origin: 'document', secretHash: undefined }
  return { ...stands, addresses: stands.origin === 'operator' ? [] : addressesOf(client) }
}

function addressesOf({ clientUri, policyUri, tosUri, logoUri }: Client): ConsentingClient['addresses'] {
  const named = { Website: clientUri, 'Privacy policy': policyUri, Terms: tosUri, Logo: logoUri }
  return Object.entries(named).flatMap(([label, url]) => (url === undefined ? [] : [{ label, url }]))
}

/** Whether a client's access is the person's to decide on; operators answer for their own. */
export function isAsked(client: ConsentingClient): boolean {
  return client.thirdParty || client.origin !== 'operator'
}

/**
 * Anybody can listen where a public client of nobody's making sends people on their own machine (RFC 8252 §8.6): a
 * remembered answer would be given to whoever asks under its name.
 */
function alwaysAsks({ client, parameters, device }: AuthorizationRequest): boolean {
  if (device) return true
  const unverified = client.origin !== 'operator' && client.secretHash === undefined
  return unverified && !String(parameters.redirect_uri ?? '').startsWith('https://')
}

/** Scopes that say so in their name; the rest may change something. */
const READS = /(?:^|[^a-z])(?:read|readonly|view|list|get|search)(?:$|[^a-z])/i

/** Whether a box starts ticked: for apps that nobody here vouches for, only what they had before and what reads. */
export function startsTicked(
  { origin }: ConsentingClient,
  view: AuthorizationView,
  resource: string,
  scope: string,
): boolean {
  return (
    origin === 'operator' || resource === '' || READS.test(scope) || view.given.get(resource)?.includes(scope) === true
  )
}

/**
 * Whether the pages of this authorization may stay in reach of the window that opened theirs, as apps that sign people in by a
 * pop-up need it. Whoever shares that reach and our origin could read and press what is shown, and an upstream of this origin
 * may serve anybody's files; so only where a page of the client's own site asked, and the operator answers for the client.
 */
export async function keepsOpener(context: IssuerContext, ctx: KoaContextWithOIDC): Promise<boolean> {
  const { client, params, entities } = ctx.oidc
  // A later page of the same authorization: it was asked for by our own.
  if (entities.Interaction !== undefined) return isKept(entities.Interaction)
  const from = originOf(ctx.get('referer'))
  if (client === undefined || from === undefined || from === context.settings().origin) return false
  const { redirectUris = [], postLogoutRedirectUris = [] } = client
  const own = [params?.redirect_uri, ...redirectUris, ...postLogoutRedirectUris].map(originOf)
  return own.includes(from) && (await consentingClient(context, client)).origin === 'operator'
}

/** What {@link keepsOpener} said when the authorization began. */
export function isKept({ prompt }: { readonly prompt: { readonly details: object } }): boolean {
  return 'keepsOpener' in prompt.details && prompt.details.keepsOpener === true
}

function granted(consents: readonly ConsentRecord[], resource: string): readonly string[] {
  return consents.find((consent) => consent.resource === resource)?.granted ?? []
}

function rejected(consents: readonly ConsentRecord[], resource: string): readonly string[] {
  return consents.find((consent) => consent.resource === resource)?.rejected ?? []
}

function mapEach(
  map: ReadonlyMap<string, readonly string[]>,
  change: (resource: string, scopes: readonly string[]) => readonly string[],
): ReadonlyMap<string, readonly string[]> {
  return new Map([...map].map(([resource, scopes]) => [resource, change(resource, scopes)]))
}

function originOf(uri: unknown): string | undefined {
  const url = typeof uri === 'string' ? URL.parse(uri) : null
  return url === null || url.origin === 'null' ? undefined : url.origin
}
