import type { IncomingMessage, ServerResponse } from 'node:http'
import { randomNonce, randomPKCECodeVerifier } from 'openid-client'
import { issuerRequestOf } from '../http/request.ts'
import { reasonOf } from './arrival.ts'
import type { Purpose } from './attempt-records.ts'
import type { Departure, SignInWish } from './federation.ts'
import type { FederationParts } from './federation-parts.ts'
import type { SignInReason } from './landing.ts'
import { isFault, orFault } from './provider/provider-fault.ts'
import type { RelyingParty } from './provider/relying-party.ts'

/** More than it takes: one address is not to push out everybody else's attempts. */
const ATTEMPT_BYTES = 16 * 1024

/** Where providers send people back to; each has a path of its own (RFC 9700 §4.4.2). */
export function callbackUrl({ settings }: Pick<FederationParts, 'settings'>, id: string): string {
  return `${settings().origin}/oauth/providers/${id}/callback`
}

/** Begins an attempt and says where it leads. Nothing is kept when the provider can't be used at the moment. */
export async function depart(
  parts: FederationParts,
  party: RelyingParty,
  request: IncomingMessage,
  response: ServerResponse,
  purpose: Purpose,
  wish: SignInWish,
  leastScopes = party.scopes.least,
): Promise<Departure> {
  const { provider } = party
  const ready = await orFault(() => party.metadata())
  if (isFault(ready)) {
    await parts.unreached(provider, ready)
    const { reason, detail } = reasonOf(ready)
    await refuse(parts, provider.id, reason, detail, clientOf(purpose))
    return { kind: 'refused', reason }
  }
  const begun: { state?: string } = {}
  const drop = async () => begun.state && parts.attempts.spend(begun.state)
  if (!(await parts.rowBudget.spend(issuerRequestOf(request).address, ATTEMPT_BYTES, drop))) {
    await refuse(parts, provider.id, 'provider_unreachable', 'too many sign-ins were begun there', clientOf(purpose))
    return { kind: 'refused', reason: 'provider_unreachable' }
  }
  const attempt = {
    kind: 'attempt',
    provider: provider.id,
    issuer: provider.issuer,
    purpose,
    nonce: randomNonce(),
    verifier: randomPKCECodeVerifier(),
    startedAt: Math.floor(parts.now() / 1000),
    actId: (await parts.store.position()).id,
    leastScopes,
    fresh: wish.fresh,
    maxAge: wish.maxAge,
    hopedAge: wish.hopedAge,
    loginHint: wish.loginHint,
  } as const
  const state = await parts.attempts.begin(request, response, attempt)
  begun.state = state
  const more = {
    ...(wish.loginHint === undefined ? {} : { login_hint: wish.loginHint }),
    ...(wish.fresh ? { prompt: 'login' } : {}),
    ...maxAgeOf(wish),
  }
  const { nonce, verifier } = attempt
  const redirectUri = callbackUrl(parts, provider.id)
  const url = await party.authorizationUrl({ redirectUri, state, nonce, verifier, leastScopes, more })
  return { kind: 'go', url }
}

function maxAgeOf({ maxAge, hopedAge }: SignInWish): { readonly max_age?: string } {
  const ages = [maxAge, hopedAge].filter((age) => age !== undefined)
  return ages.length === 0 ? {} : { max_age: String(Math.min(...ages)) }
}

/** Keeps that somebody was not let in. `detail` never holds what the person or the provider said of the person. */
export async function refuse(
  { record, counted }: FederationParts,
  provider: string,
  reason: SignInReason,
  detail: string,
  client?: string,
): Promise<void> {
  counted(provider, 'refused', reason)
  await record('federation.refused', { provider, reason, detail, client }, 'warn')
}

/** The client that somebody signs in for; undefined: the account page. */
export function clientOf(purpose: Purpose): string | undefined {
  return purpose.kind === 'interaction' ? purpose.client : undefined
}
