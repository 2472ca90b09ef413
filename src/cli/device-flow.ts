import { setTimeout as delay } from 'node:timers/promises'
import { CommandFailure, fail } from './output.ts'

/** What the device flow needs of an issuer. */
export interface IssuerEndpoints {
  readonly device: string
  readonly token: string
  readonly introspection: string | undefined
}

/** Reads the issuer's metadata (RFC 8414) and ends the command when that can't be. */
export async function discoverIssuer(issuer: string): Promise<IssuerEndpoints> {
  const address = checkedUrl(issuer, '--issuer')
  const suffix = address.pathname.replace(/\/$/, '')
  const document = await readJson(new URL(`/.well-known/oauth-authorization-server${suffix}`, address), issuer)
  if (document.issuer !== issuer) {
    return fail(`${issuer} calls itself ${JSON.stringify(document.issuer)}: name it so in --issuer`, 1)
  }
  const endpoint = (name: string): string | undefined => {
    const value = document[`${name}_endpoint`]
    return typeof value === 'string' ? checkedUrl(value, `the issuer's ${name}_endpoint`).href : undefined
  }
  const [device, token] = [endpoint('device_authorization'), endpoint('token')]
  if (device === undefined || token === undefined) return fail(`${issuer} has no device flow: use another issuer`, 1)
  return { device, token, introspection: endpoint('introspection') }
}

/** All scopes that the resource's metadata names (RFC 9728); ends the command when that can't be read. */
export async function resourceScopes(resource: string): Promise<string> {
  const address = checkedUrl(resource, '--resource')
  const path = address.pathname === '/' ? '' : address.pathname
  const document = await readJson(
    new URL(`/.well-known/oauth-protected-resource${path}${address.search}`, address),
    resource,
  )
  const scopes = document.scopes_supported
  if (document.resource === resource && Array.isArray(scopes)) return scopes.map(String).join(' ')
  return fail(`${resource} does not say which scopes it has: name them with --scope "a b"`, 1)
}

async function readJson(url: URL, what: string): Promise<Record<string, unknown>> {
  try {
    const answer = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(10_000) })
    if (!answer.ok) return fail(`${url.href} answers ${answer.status}: is ${what} right, and is audgate behind it?`, 1)
    const document: unknown = await answer.json()
    if (typeof document === 'object' && document !== null) return { ...document }
  } catch (error) {
    if (error instanceof SyntaxError) return fail(`${url.href} is no JSON: is audgate behind it?`, 1)
    return unreachable(url.origin, error)
  }
  return fail(`${url.href} is no JSON object: is audgate behind it?`, 1)
}

/** Ends the command: nothing answers at `origin`. */
function unreachable(origin: string, error: unknown): never {
  if (error instanceof CommandFailure) throw error
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  const reason = cause instanceof Error ? cause.message : String(cause)
  return fail(`can't reach ${origin} (${reason || 'no connection'}): is \`audgate serve\` running there?`, 1)
}

function checkedUrl(value: string, name: string): URL {
  const url = URL.parse(value)
  if (url === null) return fail(`${name} must be a URL, not ${JSON.stringify(value)}`, 2)
  const loopback = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname)
  if (url.protocol === 'https:' || (url.protocol === 'http:' && loopback)) return url
  return fail(`${name} must use https (http is for this machine only): ${value}`, 2)
}

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
