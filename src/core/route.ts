import type { SignInNeed } from './levels.ts'
import type { PathPattern } from './paths/pattern.ts'
import type { Resource, Scope } from './resource.ts'

/** `read` and `write` are kept as sets of methods by config; `'any'` is every method. */
export type MethodSet = 'any' | ReadonlySet<string> | { readonly except: ReadonlySet<string> }

/** First match decides. `acr` and `maxAge` ask something of the sign-in. `paths` are relative to the route's path; undefined means every path of the route. */
export interface Rule extends SignInNeed {
  readonly methods: MethodSet
  readonly paths: readonly PathPattern[] | undefined
  /** All of them are needed. */
  readonly scopes: readonly Scope[]
}

export type Access =
  /** `public: true` was written in routes.yaml; there is no default. */
  | { readonly kind: 'public' }
  | {
      readonly kind: 'protected'
      readonly resource: Resource
      readonly rules: readonly Rule[]
      /** `public: [...]`: relative to the route's path; needs no token. */
      readonly publicPaths: readonly PathPattern[]
      /** Methods that need none there. */
      readonly publicMethods: MethodSet
    }

/** The header set that tells the upstream who is calling. */
export type IdentitySet = 'x-auth' | 'remote-user' | 'x-forwarded-user' | 'x-webauth' | 'none'

/** A further header: from a claim of the token, or a fixed text. */
export type HeaderSource =
  | { readonly name: string; readonly claim: string }
  | { readonly name: string; readonly text: string }

export interface Timeouts {
  readonly connectMs: number
  readonly responseHeadersMs: number
  readonly idleMs: number
}

/** Where bytes go: an origin, and a path without trailing slash (often '') that is put before the request's. */
export interface Upstream {
  readonly protocol: 'http:' | 'https:'
  readonly hostname: string
  readonly port: number
  /** `host[:port]` as the Host field carries it. */
  readonly authority: string
  readonly basePath: string
  /** A unix socket that is connected to instead of `hostname` and `port`. */
  readonly socketPath?: string
  /** Undefined: the machine's roots, and the name of the URL. */
  readonly tls?: UpstreamTls
}

/** How an https upstream is believed to be who it should be. */
export interface UpstreamTls {
  /** PEM text of the only authorities that count; undefined: the machine's roots. */
  readonly ca: string | undefined
  /** The name that is asked for (SNI) and that its certificate must have; undefined: the URL's. */
  readonly serverName: string | undefined
  /** False: any certificate will do. */
  readonly verify: boolean
}

export interface Route {
  readonly id: string
  /** Lower case, without port; undefined: every host. */
  readonly host: string | undefined
  /** `/` or `/photos`: begins with a slash, has no trailing one unless it is `/`. Whole segments. */
  readonly path: string
  readonly stripPath: boolean
  readonly access: Access
  readonly upstreams: readonly Upstream[]
  readonly identity: IdentitySet
  readonly headers: readonly HeaderSource[]
  readonly stripHeaders: readonly string[]
  readonly setHeaders: readonly { readonly name: string; readonly value: string }[]
  /** `credentials`: with it a session's cookie counts for scripts of `origins` too. */
  readonly cors: { readonly origins: readonly string[]; readonly credentials: boolean } | undefined
  readonly preserveHost: boolean
  readonly timeouts: Timeouts
  /** Bytes; undefined: no limit. */
  readonly maxBody: number | undefined
  readonly encodedSlash: 'opaque' | 'reject'
  /** Protocols that a request may leave HTTP for, lower case (RFC 9110 §7.8). */
  readonly upgrades: readonly string[]
  /** `sensitive`: paths that differ in letter case only may meet different routes and rules. */
  readonly case: 'insensitive' | 'sensitive'
  /** Kinds of credentials that count here; a kind that isn't listed is refused, not passed over. */
  readonly credentials: readonly CredentialKind[]
  /** `upstream`: `Authorization` is the server's own and passes untouched; ours comes in `X-Audgate-Authorization`. */
  readonly authorization: 'gateway' | 'upstream'
  /** The server's own sign-out links, relative to the route's path; answered by ours. */
  readonly signOutPaths: readonly PathPattern[]
}

/** What a route lets a request show who it is by; see `Route.credentials`. */
export type CredentialKind = 'token' | 'session' | 'app_password' | 'ticket'

/** Methods that `Allow` and preflight answers can name: RFC 9110, RFC 5789 and WebDAV's (RFC 4918, 3253, 3744, 4791, 5323). */
export const METHODS: readonly string[] = [
  ...['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
  ...['PROPFIND', 'PROPPATCH', 'MKCOL', 'COPY', 'MOVE', 'LOCK', 'UNLOCK', 'REPORT', 'SEARCH'],
  ...['ACL', 'MKCALENDAR', 'CHECKOUT', 'MKACTIVITY', 'MERGE'],
]

/**
 * What HTTP parsers know besides {@link METHODS}: a request with another method is refused before any rule. Without CONNECT, which is for
 * forward proxies.
 */
export const FURTHER_METHODS: readonly string[] = [
  ...['TRACE', 'QUERY', 'BIND', 'REBIND', 'UNBIND', 'LINK', 'UNLINK', 'SOURCE', 'PURGE'],
  ...['M-SEARCH', 'NOTIFY', 'SUBSCRIBE', 'UNSUBSCRIBE'],
]

/** Whether a request with it is read at all, which says nothing of routes and rules. */
export function isReadMethod(method: string): boolean {
  return METHODS.includes(method) || FURTHER_METHODS.includes(method)
}

/** Methods are compared case-sensitively (RFC 9110 §9.1). */
export function hasMethod(set: MethodSet, method: string): boolean {
  if (set === 'any') return true
  return 'except' in set ? !set.except.has(method) : set.has(method)
}

/** The members of all `sets`, those of {@link METHODS} first; open sets are cut down to {@link METHODS}. */
export function methodsIn(sets: readonly MethodSet[]): string[] {
  const named = sets.flatMap((set) => (set === 'any' || 'except' in set ? [] : [...set]))
  const known = METHODS.filter((method) => sets.some((set) => hasMethod(set, method)))
  return [...new Set([...known, ...named])]
}
