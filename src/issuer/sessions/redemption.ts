import type Provider from 'oidc-provider'
import type { CallbackAnswer, CallbackQuestion } from '../../core/back-channel.ts'
import { gidOf } from '../../store/sealed-payload.ts'
import { BROWSER_CLIENT, callbackUri } from '../clients/reserved.ts'
import { seal, unseal } from '../keys/sealing.ts'
import { type ExchangeParts, exchange, type Holding } from './exchange.ts'
import { challengeOf, readState, type SignInState, STATE_MS } from './sign-in-state.ts'

/** What ends a browser's sign-in: what exchanges tokens, and the engine. */
export interface SessionParts extends ExchangeParts {
  /** The engine of the moment. */
  readonly provider: () => Provider
}

/** A sign-in whose token waits for the gateway's judgment, sealed. */
export interface Opening extends Holding {
  readonly origin: string
  readonly browser: string
  readonly grantId: string
  readonly issuerSession: string
  /** Milliseconds. */
  readonly redeemedAt: number
}

const PURPOSE = 'browser session opening'
/** Long enough for a gateway to judge a token. */
const OPENING_MS = 60_000

/**
 * Takes what a browser brings back from the authorization endpoint: state, flow cookie, `iss` (RFC 9207), code with PKCE and nonce. Nothing is
 * opened before the gateway has judged the token.
 */
export async function redeem(
  parts: SessionParts,
  isSignedIn: (question: CallbackQuestion, resource: string) => Promise<boolean>,
  question: CallbackQuestion,
): Promise<CallbackAnswer> {
  const { context } = parts
  const { state: sealed = '', iss, error, code } = question.parameters
  const state = readState(context, sealed)
  if (state === undefined || state.origin !== question.origin) return failed('the sign-in was not begun here')
  if (iss !== context.settings().identifier) return failed('the answer is not of the issuer that was asked')
  if (error === 'access_denied') return denied(question)
  if (error === 'unmet_authentication_requirements')
    return {
      kind: 'denied',
      detail: 'this needs a better sign-in: add a passkey or an authenticator app to your account',
    }
  if (error !== undefined) return failed(`the issuer answered ${error}`)
  const { target, resource, again } = state
  const stampMs = context.now()
  const fits = stampMs - state.begunAt < STATE_MS && state.flow === question.flow
  const opening = fits && code !== undefined ? await spendCode(parts, state, code) : undefined
  if (opening === undefined) {
    return { kind: 'missed', target, resource, again, isSignedIn: await isSignedIn(question, resource) }
  }
  const made = await exchange(parts, opening, stampMs)
  if (made.kind === 'refused') return { kind: 'denied', detail: made.detail }
  if (made.kind === 'gone') return failed('the account can’t be used')
  return { kind: 'token', token: made.token, resource, target, opening: sealOpening(parts, opening) }
}

/** What {@link sealOpening} sealed, a moment ago. */
export function readOpening({ context }: SessionParts, sealed: string): Opening | undefined {
  const text = unseal(context.masterKey, PURPOSE, sealed)
  const opening: Opening | undefined = text === undefined ? undefined : JSON.parse(text)
  return opening !== undefined && context.now() - opening.redeemedAt < OPENING_MS ? opening : undefined
}

/** Undefined for a code that can't be redeemed, by whatever fault; it is redeemed once. */
async function spendCode(parts: SessionParts, state: SignInState, value: string): Promise<Opening | undefined> {
  const provider = parts.provider()
  const code = await provider.AuthorizationCode.find(value)
  if (code === undefined || !belongs(code, state)) return undefined
  if (!(await consume(code))) return undefined
  const { accountId, grantId = '', sessionUid = '' } = code
  const grant = await provider.Grant.find(grantId)
  if (grant === undefined || accountId === undefined) return undefined
  const scopes = grant.getResourceScopeFiltered(state.resource, new Set((code.scope ?? '').split(' ')))
  return {
    gid: gidOf(grantId),
    sub: accountId,
    clientId: BROWSER_CLIENT,
    resource: state.resource,
    scopes: scopes.split(' '),
    authTime: code.authTime,
    amr: code.amr,
    acr: code.acr,
    endsAt: Number.MAX_SAFE_INTEGER,
    ...{ grantId, issuerSession: sessionUid, origin: state.origin, browser: state.flow },
    redeemedAt: parts.context.now(),
  }
}

type Code = InstanceType<Provider['AuthorizationCode']>

function belongs(code: Code, state: SignInState): boolean {
  const { clientId, redirectUri, codeChallenge, codeChallengeMethod, nonce, resource } = code
  return (
    code.isValid &&
    clientId === BROWSER_CLIENT &&
    redirectUri === callbackUri(state.origin) &&
    codeChallengeMethod === 'S256' &&
    codeChallenge === challengeOf(state.verifier) &&
    nonce === state.nonce &&
    [resource].flat().includes(state.resource)
  )
}

/** Spends a code; false when somebody else was faster. */
export async function consume(code: { consume(): Promise<void> }): Promise<boolean> {
  try {
    await code.consume()
    return true
  } catch (error) {
    if (error instanceof Error && 'error' in error && error.error === 'invalid_grant') return false
    throw error
  }
}

function denied({ parameters }: CallbackQuestion): CallbackAnswer {
  return { kind: 'denied', detail: parameters.error_description ?? 'access was denied' }
}

function failed(detail: string): CallbackAnswer {
  return { kind: 'failed', detail }
}

function sealOpening({ context }: SessionParts, opening: Opening): string {
  return seal(context.masterKey, PURPOSE, JSON.stringify(opening))
}
