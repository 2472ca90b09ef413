import type { Route } from '../route.ts'
import type { VerifiedToken } from '../token.ts'
import { fieldFate } from './field-fates.ts'
import { cgiName } from './fields.ts'
import { IDENTITY_SETS, type IdentityFault, identityHeaders, identityReaders } from './identity.ts'

/** What becomes of a client's field on its way upstream. */
export type Disposition =
  | 'pass'
  /** Ours alone: an identity header, or one that some route sets or strips. */
  | 'protected'
  /** Hop-by-hop, or framing that the forwarder makes anew. */
  | 'hop'
  /** Would name another path, host, method or person to some server. */
  | 'never'
  /** Passes from trusted proxies only. */
  | 'forwarded'
  /** Made anew from what is known of the client. */
  | 'replaced'
  | 'connection'
  | 'authorization'
  /** The gateway's own cookies stay here. */
  | 'cookie'
  | 'te'
  | 'upgrade'
  | 'destination'
  | 'if'
  | 'accept_encoding'
  | 'referer'

/** Which names are whose, over all routes: a name that one route protects never comes from a client on any. */
export interface HeaderPolicy {
  /** @param name As received, in any case. */
  dispositionOf(name: string): Disposition
  /** Protected names in CGI form, sorted; for `explain` and tests. */
  readonly protectedNames: readonly string[]
  /** What the route adds for a token: identity set, `headers`, `set_headers` (a later one replaces one of the same name), as raw pairs. */
  addedBy(route: Route, token: VerifiedToken | undefined): readonly string[] | IdentityFault
}

// `proxy` would become HTTP_PROXY, which CGI programs take for their own proxy setting (httpoxy).
const FIXED: Readonly<Record<string, Disposition>> = {
  keep_alive: 'hop',
  proxy: 'hop',
  transfer_encoding: 'hop',
  trailer: 'hop',
  http2_settings: 'hop',
  expect: 'hop',
  dpop: 'hop',
  host: 'replaced',
  x_forwarded_for: 'replaced',
  x_forwarded_host: 'replaced',
  x_forwarded_proto: 'replaced',
  x_forwarded_prefix: 'replaced',
  x_request_id: 'replaced',
  connection: 'connection',
  authorization: 'authorization',
  cookie: 'cookie',
  cookie2: 'cookie',
  te: 'te',
  upgrade: 'upgrade',
  // The forwarder writes the framing that was understood, never the client's text.
  content_length: 'hop',
  content_type: 'pass',
  destination: 'destination',
  if: 'if',
  accept_encoding: 'accept_encoding',
  referer: 'referer',
  // The page's address as other fields tell it (HTML, "hyperlink auditing"; htmx).
  ping_from: 'referer',
  ping_to: 'referer',
  hx_current_url: 'referer',
}

// Fields that keep their meaning under exactly one spelling; `Accept_Encoding` would be a second one to a CGI program.
const EXACT: Readonly<Record<string, string>> = {
  content_type: 'content-type',
  accept_encoding: 'accept-encoding',
}

/** Precomputes the policy of all routes together. */
export function createHeaderPolicy(routes: readonly Route[]): HeaderPolicy {
  const guarded = protectedNames(routes)
  const additions = new Map(routes.map((route) => [route, additionsOf(route)]))
  return {
    protectedNames: [...guarded].sort(),
    dispositionOf: (name) => classify(guarded, name),
    addedBy: (route, token) => (additions.get(route) ?? additionsOf(route))(token),
  }
}

type Additions = (token: VerifiedToken | undefined) => readonly string[] | IdentityFault

function additionsOf(route: Route): Additions {
  const readers = identityReaders(route)
  const set = new Set(route.setHeaders.map(({ name }) => cgiName(name)))
  const fixed = route.setHeaders.flatMap(({ name, value }) => [name, value])
  return (token) => {
    const identity = identityHeaders(route, token, readers)
    if ('fault' in identity || set.size === 0) return identity
    const kept = identity.flatMap((name, i) =>
      i % 2 === 0 && !set.has(cgiName(name)) ? [name, identity[i + 1] ?? ''] : [],
    )
    return [...kept, ...fixed]
  }
}

function protectedNames(routes: readonly Route[]): ReadonlySet<string> {
  const names = Object.values(IDENTITY_SETS).flatMap((set) => set.map((header) => header.name))
  for (const route of routes) {
    names.push(...route.headers.map((header) => header.name))
    names.push(...route.setHeaders.map((header) => header.name), ...route.stripHeaders)
  }
  return new Set(names.map(cgiName))
}

function classify(guarded: ReadonlySet<string>, name: string): Disposition {
  const cgi = cgiName(name)
  if (guarded.has(cgi)) return 'protected'
  const fixed = Object.hasOwn(FIXED, cgi) ? FIXED[cgi] : undefined
  if (fixed !== undefined) return EXACT[cgi] === undefined || EXACT[cgi] === name.toLowerCase() ? fixed : 'hop'
  // The gateway's own: whoever sends them speaks to it.
  if (cgi.startsWith('proxy_') || cgi.startsWith('x_audgate_')) return 'hop'
  const fate = fieldFate(cgi)
  if (fate === 'forwarded' && !isUsualSpelling(name, cgi)) return 'never'
  return fate ?? (startsLikeVariable(guarded, cgi) ? 'never' : 'pass')
}

/** What a proxy passes on that it doesn't know is still its client's: it sets and clears its own fields under the name that they are known by. */
function isUsualSpelling(name: string, cgi: string): boolean {
  return /^[a-z0-9-]+$/i.test(name) || (UNDERSCORED.test(cgi) && name.toLowerCase() === cgi)
}

// mod_auth_openidc, SiteMinder, Oracle, and what Apache calls its variables of TLS.
const UNDERSCORED = /^(?:oidc|sm|oam|shib|ssl)_/

/** CGI puts `HTTP_` before a field's name: programs that take it off again would take `HTTP_Host` for the field itself. */
function startsLikeVariable(guarded: ReadonlySet<string>, cgi: string): boolean {
  return cgi.startsWith('http_') && classify(guarded, cgi.replace(/^(http_)+/, '').replaceAll('_', '-')) !== 'pass'
}
