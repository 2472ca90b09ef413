import { corsHeaders } from './cors.ts'
import type { ResolvedClient } from './forwarded.ts'
import { setsOwnCookie } from './own-cookies.ts'
import type { Route } from './route.ts'
import { clientReference } from './upstream-target.ts'

export interface ClientHeadersInput {
  readonly route: Route
  readonly client: ResolvedClient
  /** The client's request headers, for CORS. */
  readonly requestHeaders: readonly string[]
  /** The upstream's, hop-by-hop ones still in. */
  readonly rawHeaders: readonly string[]
  /** The answer opens a tunnel (101): `Upgrade` stays. */
  readonly upgrade: boolean
}

const HOP_BY_HOP = new Set([
  ...['connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authentication-info'],
  ...['te', 'transfer-encoding', 'upgrade'],
])

const REFERENCES = new Set(['location', 'content-location'])

const COOKIES = new Set(['set-cookie', 'set-cookie2'])

/** Lengths of the names above: most names are settled by their length alone. */
const LENGTHS: ReadonlySet<number> = new Set([...HOP_BY_HOP, ...REFERENCES, ...COOKIES].map((name) => name.length))

/**
 * The field lines for the client, as raw pairs: order, case and duplicates as they came. Hop-by-hop fields and those that `Connection` names
 * (never Content-Length) go; `Location` and `Content-Location` are put in the client's terms; a `Set-Cookie` of a name of the
 * gateway's own goes; CORS fields are replaced where the route has `cors`.
 */
export function clientResponseHeaders(input: ClientHeadersInput): string[] {
  const { route, rawHeaders } = input
  const named = namedByConnection(rawHeaders)
  const out: string[] = []
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? ''
    if (named === undefined && route.cors === undefined && !LENGTHS.has(name.length)) {
      out.push(name, rawHeaders[i + 1] ?? '')
      continue
    }
    const lower = name.toLowerCase()
    if (HOP_BY_HOP.has(lower)) {
      if (input.upgrade && lower === 'upgrade') out.push(name, rawHeaders[i + 1] ?? '')
      continue
    }
    if (named?.has(lower) && lower !== 'content-length') continue
    if (route.cors !== undefined && lower.startsWith('access-control-')) continue
    const value = rawHeaders[i + 1] ?? ''
    if (COOKIES.has(lower) && setsOwnCookie(value)) continue
    out.push(name, REFERENCES.has(lower) ? clientReference(route, input.client, value) : value)
  }
  if (input.upgrade) out.push('Connection', 'Upgrade')
  if (route.cors !== undefined) out.push(...corsHeaders(route, input.requestHeaders, rawHeaders))
  return out
}

/**
 * What {@link clientResponseHeaders} would give, as text, where fields only have to go and nothing is rewritten; undefined where that takes more.
 * @param lines Field lines of strict grammar, a CRLF after each (RFC 9112 §5).
 */
export function clientFieldLines(route: Route, lines: string): string | undefined {
  if (route.cors !== undefined) return undefined
  let kept = ''
  let from = 0
  for (let at = 0; at < lines.length; ) {
    const colon = lines.indexOf(':', at)
    const next = lines.indexOf('\r\n', colon) + 2
    if (LENGTHS.has(colon - at)) {
      const name = lines.slice(at, colon).toLowerCase()
      if (REFERENCES.has(name) || (name === 'connection' && namesFields(lines.slice(colon + 1, next)))) return undefined
      if (HOP_BY_HOP.has(name) || (COOKIES.has(name) && setsOwnCookie(lines.slice(colon + 1, next)))) {
        kept += lines.slice(from, at)
        from = next
      }
    }
    at = next
  }
  return from === 0 ? lines : kept + lines.slice(from)
}

function namesFields(connection: string): boolean {
  const value = connection.trim().toLowerCase()
  return value !== 'keep-alive' && value !== 'close'
}

function namedByConnection(rawHeaders: readonly string[]): ReadonlySet<string> | undefined {
  let named: Set<string> | undefined
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.length !== 10 || rawHeaders[i]?.toLowerCase() !== 'connection') continue
    const value = (rawHeaders[i + 1] ?? '').toLowerCase()
    // Hop-by-hop without being named.
    if (value === 'keep-alive') continue
    named ??= new Set()
    for (const option of value.split(',')) named.add(option.trim())
  }
  return named
}
