import { CommandFailure, fail } from './failure.ts'

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
export function unreachable(origin: string, error: unknown): never {
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
