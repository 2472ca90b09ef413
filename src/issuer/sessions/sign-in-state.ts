import { createHash, randomBytes } from 'node:crypto'
import type { BegunSignIn, NewSignIn } from '../../core/back-channel.ts'
import { BROWSER_CLIENT, callbackUri } from '../clients/reserved.ts'
import { type IssuerContext, resourceById } from '../context.ts'
import { ROUTES } from '../http/endpoints.ts'
import { seal, unseal } from '../keys/sealing.ts'

/** Everything of a sign-in that its end needs: it travels with the browser, so that nothing is stored for strangers. */
export interface SignInState extends NewSignIn {
  /** PKCE (RFC 7636). */
  readonly verifier: string
  readonly nonce: string
  /** Milliseconds. */
  readonly begunAt: number
}

const PURPOSE = 'browser sign-in'
/** What is longer falls back to a shorter target. */
const MAX_STATE_CHARACTERS = 2048
/** How long a sign-in may take. */
export const STATE_MS = 10 * 60_000

/**
 * Begins a sign-in: the authorization request with a state that only the issuer can read. Whether the origin is one of the gateway's is NOT
 * checked: gateways ask.
 */
export function beginSignIn(context: IssuerContext, question: NewSignIn): BegunSignIn {
  const chance = { verifier: randomBytes(32).toString('base64url'), nonce: randomBytes(16).toString('base64url') }
  const begun = { ...question, ...chance, begunAt: context.now() }
  const path = question.target.split('?')[0] ?? '/'
  const sealed = [question.target, path, '/'].map((target) => sealState(context, { ...begun, target }))
  const state = sealed.find((text) => text.length <= MAX_STATE_CHARACTERS)
  if (state === undefined) throw new TypeError('a sign-in that does not fit into its state')
  return { location: authorizationUrl(context, begun, state) }
}

/** What was sealed by {@link beginSignIn}; undefined for what was not. Age and browser are NOT checked. */
export function readState({ masterKey }: IssuerContext, state: string): SignInState | undefined {
  const text = state.length > MAX_STATE_CHARACTERS ? undefined : unseal(masterKey, PURPOSE, state)
  return text === undefined ? undefined : JSON.parse(text)
}

/** Whether a state of ours says that its answer goes to `uri`: a gateway on its own has hosts that this process does not know. */
export function statesCallback(context: IssuerContext, state: unknown, uri: string): boolean {
  const read = typeof state === 'string' ? readState(context, state) : undefined
  return read !== undefined && callbackUri(read.origin) === uri
}

/** RFC 7636 §4.2. */
export function challengeOf(verifier: string): string {
  return createHash('sha256').update(verifier).digest('base64url')
}

function sealState({ masterKey }: IssuerContext, state: SignInState): string {
  return seal(masterKey, PURPOSE, JSON.stringify(state))
}

function authorizationUrl({ settings }: IssuerContext, begun: SignInState, state: string): string {
  const { resources, origin } = settings()
  const resource = resourceById(resources, begun.resource)
  const scopes = resource?.sessionScopes ?? [...(resource?.scopes.keys() ?? [])]
  const url = new URL(ROUTES.authorization, origin)
  url.search = new URLSearchParams({
    response_type: 'code',
    client_id: BROWSER_CLIENT,
    redirect_uri: callbackUri(begun.origin),
    // The nonce comes with OpenID only.
    scope: ['openid', ...scopes].join(' '),
    resource: begun.resource,
    state,
    nonce: begun.nonce,
    code_challenge: challengeOf(begun.verifier),
    code_challenge_method: 'S256',
    ...(begun.need?.acr !== undefined && { acr_values: begun.need.acr }),
    ...(begun.need?.maxAge !== undefined && { max_age: String(begun.need.maxAge) }),
  }).toString()
  return url.href
}
