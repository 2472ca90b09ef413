import { sealVerifiedToken, type VerifiedToken } from '../core/token.ts'
import { type Rejection, rejected } from './rejection.ts'
import { isObject, type JsonObject, member } from './strict-json.ts'
import type { VerifierIssuer } from './verifier-issuer.ts'

/** What a good signature was found over, with what has to be judged anew on every request. */
export interface SignedToken {
  readonly token: VerifiedToken
  /** The later of `iat` and `nbf`. NumericDate, seconds. */
  readonly validFrom: number
  /** Bound to a key in whatever way (`cnf`, RFC 7800): never good as a plain bearer token. */
  readonly bound: boolean
}

/** Marks of what is signed by the same keys but is no access token: ID tokens, and logout and other event tokens (RFC 8417). */
const MARKS_OF_OTHER_TOKENS = ['nonce', 'at_hash', 'c_hash', 'events']

/**
 * Reads the claims of a token of `issuer` (RFC 9068 §2.2). Those that decide anything are of the right type, or the token is refused;
 * those that only say who it is are left out when they are not. For payloads whose signature is good; does NOT judge time.
 */
export function readClaims(payload: JsonObject, issuer: VerifierIssuer): SignedToken | Rejection {
  const mark =
    issuer.tokenType === 'jwt' ? MARKS_OF_OTHER_TOKENS.find((name) => Object.hasOwn(payload, name)) : undefined
  if (mark !== undefined)
    return rejected('wrong_type', `a token with ${mark} is no access token; send the access token`)
  const [iss, sub, exp, iat, nbf, aud, jti, gid, cnf] = CLAIMS.map((name) => member(payload, name))
  const clientId = member(payload, issuer.claims.client)
  const scope = scopeSet(member(payload, issuer.claims.scope))
  const audience = audienceList(aud)
  if (typeof iss !== 'string') return wrong('iss', 'a string')
  if (!isText(sub)) return wrong('sub', 'a string')
  if (!isText(clientId)) return wrong(issuer.claims.client, 'a string')
  if (!isDate(exp)) return wrong('exp', 'a number')
  if (!isDate(iat)) return wrong('iat', 'a number')
  if (nbf !== undefined && !isDate(nbf)) return wrong('nbf', 'a number')
  if (audience === undefined) return wrong('aud', 'a string or a list of strings')
  if (scope === undefined) return wrong(issuer.claims.scope, 'a string or a list of strings')
  if (cnf !== undefined && !isObject(cnf)) return wrong('cnf', 'an object')
  // Revocation finds tokens by these two: one that could not be found could not be ended.
  if (issuer.embedded && !isText(jti)) return wrong('jti', 'a string')
  if (issuer.embedded && gid !== undefined && !isText(gid)) return wrong('gid', 'a string')
  const token = sealVerifiedToken({
    issuer: iss,
    embedded: issuer.embedded,
    subject: sub,
    clientId,
    audience,
    scope,
    expiresAt: exp,
    issuedAt: iat,
    jti: textOf(jti),
    gid: issuer.embedded ? textOf(gid) : undefined,
    username: textOf(member(payload, issuer.claims.username)),
    groups: groupList(member(payload, issuer.claims.groups)),
    jkt: cnf === undefined ? undefined : soleThumbprint(cnf),
    claims: payload,
  })
  return { token, validFrom: nbf === undefined ? iat : Math.max(iat, nbf), bound: cnf !== undefined }
}

const CLAIMS = ['iss', 'sub', 'exp', 'iat', 'nbf', 'aud', 'jti', 'gid', 'cnf']

function wrong(claim: string, wanted: string): Rejection {
  return rejected('missing_claim', `the token must have the claim ${claim}, ${wanted}`)
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function textOf(value: unknown): string | undefined {
  return isText(value) ? value : undefined
}

/** `1e999` is JSON, and reads as Infinity. */
function isDate(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}

function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

/** Without `aud` it is a token for nobody, which the decision names better than this could. */
function audienceList(aud: unknown): readonly string[] | undefined {
  if (aud === undefined) return []
  if (typeof aud === 'string') return remembered(audiences, aud, (sole) => [sole])
  return isTextList(aud) ? aud : undefined
}

/** RFC 6749 §3.3: tokens with single spaces between. Members of a list are taken whole. */
function scopeSet(scope: unknown): ReadonlySet<string> | undefined {
  if (scope === undefined) return new Set()
  if (typeof scope === 'string') return remembered(scopeSets, scope, setOfScopes)
  return isTextList(scope) ? new Set(scope) : undefined
}

function setOfScopes(scope: string): ReadonlySet<string> {
  return new Set(scope.split(' ').filter((item) => item !== ''))
}

// Thousands of tokens share a few audiences and scopes: one list, and one set, serve all of them.
const MAX_SHARED = 256
const LONGEST_SHARED = 256
const audiences = new Map<string, readonly string[]>()
const scopeSets = new Map<string, ReadonlySet<string>>()

function remembered<Value>(values: Map<string, Value>, text: string, make: (text: string) => Value): Value {
  const known = values.get(text)
  if (known !== undefined) return known
  const value = make(text)
  if (text.length > LONGEST_SHARED) return value
  if (values.size >= MAX_SHARED) values.clear()
  values.set(text, value)
  return value
}

/** Some issuers write a single group as a string. It is never split: a group's name may hold any separator. */
function groupList(groups: unknown): readonly string[] {
  if (isText(groups)) return [groups]
  return isTextList(groups) ? groups.filter((group) => group !== '') : []
}

/** RFC 9449 §6.1. Undefined when the token is bound in another way too, one that can't be checked here. */
function soleThumbprint(cnf: JsonObject): string | undefined {
  return Object.keys(cnf).length === 1 ? textOf(member(cnf, 'jkt')) : undefined
}
