import { readBearer, tokenScheme } from './credential.ts'
import type { CredentialKind, Route } from './route.ts'

/** What a person or program sent on purpose to show who it is: in a header field. It decides alone. */
export type Presented =
  | { readonly kind: 'none' }
  | { readonly kind: 'malformed'; readonly detail: string }
  | { readonly kind: 'bearer'; readonly token: string }
  /** RFC 9449 §7.1. `proof` is undefined when no `DPoP` field came. */
  | { readonly kind: 'dpop'; readonly token: string; readonly proof: string | undefined }
  | { readonly kind: 'app_password'; readonly secret: string }
  /** A password that none of ours can be. `isKey`: it was meant for one. */
  | { readonly kind: 'foreign_password'; readonly isKey: boolean }
  | { readonly kind: 'not_accepted'; readonly what: CredentialKind }

/** The gateway's own field, for where `Authorization` is somebody else's. */
export const OWN_AUTHORIZATION = 'x-audgate-authorization'

export const APP_PASSWORD_PREFIX = 'agp_'

const NONE: Presented = { kind: 'none' }
const APP_PASSWORD = /^agp_[A-Za-z0-9_-]{43}$/
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/
const COMPACT_JWS = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/

type Terms = Pick<Route, 'credentials' | 'authorization' | 'access'>

/**
 * Reads `Authorization` (RFC 6750 §2.1, RFC 7617, RFC 9449 §7.1) and {@link OWN_AUTHORIZATION} as a route takes them. Another scheme counts as
 * none. Does NOT look into tokens, and knows no app password.
 * @param bearer The token of the only Authorization field, where it is not in `rawHeaders`.
 */
export function readPresented(route: Terms, rawHeaders: readonly string[], bearer?: string): Presented {
  const theirs = bearer === undefined ? valuesOf(rawHeaders, 'authorization') : [`Bearer ${bearer}`]
  const [own, ...further] = valuesOf(rawHeaders, OWN_AUTHORIZATION)
  if (further.length > 0) return malformed('there is more than one X-Audgate-Authorization field')
  if (route.authorization === 'upstream') {
    if (theirs.some((value) => isOurs(route, value))) return malformed(THEIRS)
    return own === undefined ? NONE : accepted(route, readOwn(route, own, rawHeaders))
  }
  if (theirs.length > 1) return malformed('there is more than one Authorization field')
  const first = theirs[0] === undefined ? NONE : readField(route, theirs[0], rawHeaders)
  if (own === undefined) return accepted(route, first)
  if (first.kind !== 'none') return malformed('there are two credentials: send one of them')
  return accepted(route, readOwn(route, own, rawHeaders))
}

const THEIRS = 'on this route Authorization is the server’s own: send this credential in X-Audgate-Authorization'

/** The password of `Basic` credentials; undefined for what is none (RFC 7617 §2). */
export function basicPassword(value: string): string | undefined {
  const text = basicText(value)
  const colon = text?.indexOf(':') ?? -1
  return colon === -1 ? undefined : text?.slice(colon + 1)
}

const MOST_USER_CHARACTERS = 64
const UTF8 = new TextDecoder()

/**
 * The user name that came with a `Basic` password, for a log alone: it says which program of somebody's it was, and opens nothing. Undefined for
 * none, and for a secret that was typed in its place.
 */
export function basicUser(rawHeaders: readonly string[]): string | undefined {
  const values = [...valuesOf(rawHeaders, OWN_AUTHORIZATION), ...valuesOf(rawHeaders, 'authorization')]
  const text = values.map(basicText).find((each) => each !== undefined)
  const colon = text?.indexOf(':') ?? -1
  if (text === undefined || colon < 1) return undefined
  const user = UTF8.decode(Uint8Array.from(text.slice(0, colon), (char) => char.charCodeAt(0)))
  if (user.includes(APP_PASSWORD_PREFIX) || COMPACT_JWS.test(user)) return undefined
  return user.slice(0, MOST_USER_CHARACTERS).replace(/\p{C}/gu, '?')
}

/** What `Basic` credentials encode, a character for each byte. */
function basicText(value: string): string | undefined {
  const [, encoded = ''] = /^basic +(\S+)$/i.exec(value) ?? []
  return BASE64.test(encoded) ? decoded(encoded) : undefined
}

/**
 * Whether the value carries an app password: as a password, well-formed or not, or a whole one wherever it stands, as a user name or under
 * another scheme. Such a value never goes upstream.
 */
export function holdsAppPassword(value: string): boolean {
  const password = basicPassword(value) ?? /^bearer +(\S+)$/i.exec(value)?.[1]
  if (password?.startsWith(APP_PASSWORD_PREFIX) === true || WHOLE_PASSWORD.test(value)) return true
  return (value.match(MAYBE_BASE64) ?? []).some((run) => WHOLE_PASSWORD.test(decoded(run) ?? ''))
}

const WHOLE_PASSWORD = /agp_[A-Za-z0-9_-]{43}/
/** Of either alphabet, and long enough. */
const MAYBE_BASE64 = /[A-Za-z0-9+/_-]{63,}/g

/** Base64 in either alphabet; undefined for what is none. */
function decoded(text: string): string | undefined {
  const digits = text.replace(/=+$/, '').replaceAll('-', '+').replaceAll('_', '/')
  return digits.length % 4 === 1 ? undefined : atob(digits)
}

function readField(route: Terms, value: string, rawHeaders: readonly string[]): Presented {
  const scheme = tokenScheme(value)
  if (scheme === undefined) return /^basic(?: |$)/i.test(value) ? readBasic(route, value) : NONE
  const text = value.slice(scheme.length).replace(/^ +/, '')
  if (value.charCodeAt(scheme.length) !== 0x20) return malformedScheme(scheme)
  const read = readBearer(text)
  if (read.kind === 'malformed') return malformedScheme(scheme)
  if (scheme === 'dpop') return withProof(text, rawHeaders)
  return text.startsWith(APP_PASSWORD_PREFIX) ? appPassword(text) : read
}

/** The person's own password is never taken: it would open everything. */
function readBasic({ credentials }: Terms, value: string): Presented {
  const password = basicPassword(value)
  if (password?.startsWith(APP_PASSWORD_PREFIX)) return appPassword(password)
  if (!credentials.includes('app_password')) return NONE
  if (password === undefined) return malformed('Authorization is not of the form: Basic <base64 of name:password>')
  return COMPACT_JWS.test(password) ? { kind: 'bearer', token: password } : { kind: 'foreign_password', isKey: false }
}

function readOwn(route: Terms, value: string, rawHeaders: readonly string[]): Presented {
  const read = readField(route, value, rawHeaders)
  return read.kind === 'none' ? malformed('X-Audgate-Authorization takes Bearer, DPoP and Basic') : read
}

function appPassword(secret: string): Presented {
  return APP_PASSWORD.test(secret) ? { kind: 'app_password', secret } : { kind: 'foreign_password', isKey: true }
}

function accepted({ credentials }: Terms, read: Presented): Presented {
  const what = kindOf(read)
  return what === undefined || credentials.includes(what) ? read : { kind: 'not_accepted', what }
}

function kindOf({ kind }: Presented): CredentialKind | undefined {
  if (kind === 'bearer' || kind === 'dpop') return 'token'
  return kind === 'app_password' || kind === 'foreign_password' ? 'app_password' : undefined
}

/** Whether a value is a credential of ours, which nobody behind a route may get: an app password, or a token that the route's resource takes. */
export function isOurs({ access }: Pick<Route, 'access'>, value: string): boolean {
  if (holdsAppPassword(value)) return true
  const token = tokenScheme(value) === undefined ? basicPassword(value) : value.replace(/^\S+ +/, '')
  if (token === undefined || !COMPACT_JWS.test(token) || access.kind === 'public') return false
  const issuer = issuerOf(token)
  return issuer !== undefined && access.resource.issuers.includes(issuer)
}

function issuerOf(token: string): string | undefined {
  try {
    const payload = atob((token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/'))
    const claims: { readonly iss?: unknown } | null = JSON.parse(payload)
    return typeof claims?.iss === 'string' ? claims.iss : undefined
  } catch {
    return undefined
  }
}

function withProof(token: string, rawHeaders: readonly string[]): Presented {
  const [proof, ...further] = valuesOf(rawHeaders, 'dpop')
  return further.length > 0 ? malformed('there is more than one DPoP field') : { kind: 'dpop', token, proof }
}

function malformedScheme(scheme: 'bearer' | 'dpop'): Presented {
  return malformed(`Authorization is not of the form: ${scheme === 'bearer' ? 'Bearer' : 'DPoP'} <access token>`)
}

function malformed(detail: string): Presented {
  return { kind: 'malformed', detail }
}

function valuesOf(rawHeaders: readonly string[], wanted: string): string[] {
  const values: string[] = []
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? ''
    if (name.length === wanted.length && name.toLowerCase() === wanted) values.push(rawHeaders[i + 1] ?? '')
  }
  return values
}
