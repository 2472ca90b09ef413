import { setTimeout as delay } from 'node:timers/promises'
import { fail } from './failure.ts'
import { type IssuerEndpoints, unreachable } from './token-discovery.ts'

const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code'

export interface TokenAsk {
  readonly issuer: string
  readonly clientId: string
  readonly resource: string
  /** Separated by spaces. */
  readonly scope: string
}

export interface TokenSet {
  readonly accessToken: string
  /** NumericDate, seconds. */
  readonly expiresAt: number
  readonly scope: string
  readonly refreshToken: string | undefined
}

type Answer = Readonly<Record<string, unknown>>

/** Whether the issuer says that the token is still good: it may have been revoked. */
export async function isActive(endpoints: IssuerEndpoints, ask: TokenAsk, token: TokenSet): Promise<boolean> {
  if (endpoints.introspection === undefined) return true
  const answer = await send(endpoints.introspection, { client_id: ask.clientId, token: token.accessToken })
  return answer.active === true
}

/** A new token for the refresh token; undefined when it is of no use any more. */
export async function renew(
  endpoints: IssuerEndpoints,
  ask: TokenAsk,
  refreshToken: string,
): Promise<TokenSet | undefined> {
  const answer = await send(endpoints.token, {
    grant_type: 'refresh_token',
    refresh_token: refreshToken,
    client_id: ask.clientId,
    resource: ask.resource,
  })
  return typeof answer.access_token === 'string' ? tokenSet(answer, refreshToken) : undefined
}

/**
 * Signs the person in on another screen (RFC 8628) and waits for it. Ends the command when it is refused or takes too long.
 * @param show is told where to go and which code to look for.
 */
export async function signInByDevice(
  endpoints: IssuerEndpoints,
  ask: TokenAsk,
  show: (address: string, code: string) => void,
): Promise<TokenSet> {
  const { clientId, resource, scope } = ask
  const begun = await send(endpoints.device, { client_id: clientId, resource, scope })
  const { device_code: code, user_code: userCode } = begun
  if (typeof code !== 'string' || typeof userCode !== 'string') return refused(ask, begun)
  show(String(begun.verification_uri_complete ?? begun.verification_uri), userCode)
  const deadline = Date.now() + Number(begun.expires_in ?? 600) * 1000
  let intervalMs = Math.max(1, Number(begun.interval ?? 5)) * 1000
  while (Date.now() < deadline) {
    await delay(intervalMs)
    const answer = await send(endpoints.token, { grant_type: DEVICE_CODE, device_code: code, client_id: clientId })
    if (typeof answer.access_token === 'string') return tokenSet(answer, undefined)
    if (answer.error === 'slow_down') intervalMs += 5000
    else if (answer.error !== 'authorization_pending') return refused(ask, answer)
  }
  return refused(ask, { error: 'expired_token' })
}

function tokenSet(answer: Answer, refreshToken: string | undefined): TokenSet {
  return {
    accessToken: String(answer.access_token),
    expiresAt: Math.floor(Date.now() / 1000) + Number(answer.expires_in ?? 0),
    scope: String(answer.scope ?? ''),
    refreshToken: typeof answer.refresh_token === 'string' ? answer.refresh_token : refreshToken,
  }
}

function refused({ clientId, resource }: TokenAsk, { error, error_description: description }: Answer): never {
  const why = typeof description === 'string' ? ` (${description})` : ''
  switch (error) {
    case 'invalid_client':
      return fail(`client ${clientId} is not known there: \`audgate client add ${clientId} --type native\` adds it`, 1)
    case 'invalid_target':
      return fail(`there is no resource ${resource}${why}: name one that routes.yaml has with --resource`, 1)
    case 'invalid_scope':
      return fail(`these scopes can't be asked for${why}: name others with --scope`, 1)
    case 'access_denied':
      return fail(`not allowed${why}: ask whoever runs ${resource} for a group that may have it`, 1)
    case 'expired_token':
      return fail('nobody signed in within the time given: run the command again', 1)
    case 'temporarily_unavailable':
      return fail(`the issuer can't answer at the moment${why}: try again`, 1)
    default:
      return fail(`the issuer refused: ${String(error ?? 'no reason given')}${why}; look at its log`, 1)
  }
}

async function send(url: string, parameters: Readonly<Record<string, string>>): Promise<Answer> {
  try {
    const answer = await fetch(url, {
      method: 'POST',
      body: new URLSearchParams(parameters),
      redirect: 'error',
      signal: AbortSignal.timeout(30_000),
    })
    const body: unknown = await answer.json()
    return typeof body === 'object' && body !== null ? { ...body } : {}
  } catch (error) {
    return unreachable(new URL(url).origin, error)
  }
}
