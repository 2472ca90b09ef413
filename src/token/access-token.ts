import { claimAt } from '../core/claim-path.ts'
import { safeText } from '../core/denial.ts'
import { levelOf } from '../core/levels.ts'
import { type Rejection, rejected, sealVerifiedToken, type VerifiedToken } from '../core/token.ts'
import { type CompactJws, isMediaType, isObject, type JsonObject, member, parseCompactJws } from './jws.ts'
import type { SignatureCheck } from './signature.ts'
import type { Trust, TrustedSlot } from './trust.ts'
import type { TokenType, VerifierIssuer } from './trusted-issuer.ts'

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
 * those that only say who it is are left out when they are not. A token that needn't say by its `typ` what it is must not look like another kind. For payloads whose signature is good; does NOT judge time.
 */
export function readClaims(payload: JsonObject, issuer: VerifierIssuer, type: TokenType): SignedToken | Rejection {
  const mark = type === 'at+jwt' ? undefined : MARKS_OF_OTHER_TOKENS.find((name) => Object.hasOwn(payload, name))
  if (mark !== undefined)
    return rejected('wrong_type', `a token with ${mark} is no access token; send the access token`)
  const [iss, sub, exp, iat, nbf, aud, jti, gid, cnf, acr, authTime, amr] = CLAIMS.map((name) => member(payload, name))
  const clientId = claimAt(payload, issuer.claims.client)
  const scope = scopeSet(claimAt(payload, issuer.claims.scope))
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
    username: textOf(claimAt(payload, issuer.claims.username)),
    groups: groupList(claimAt(payload, issuer.claims.groups)),
    jkt: cnf === undefined ? undefined : soleThumbprint(cnf),
    level: levelOf(acr, issuer.acr ?? {}),
    authTime: isDate(authTime) ? authTime : undefined,
    amr: isTextList(amr) ? amr : undefined,
    acrMap: issuer.acr,
    claims: payload,
  })
  return { token, validFrom: nbf === undefined ? iat : Math.max(iat, nbf), bound: cnf !== undefined }
}

const CLAIMS = ['iss', 'sub', 'exp', 'iat', 'nbf', 'aud', 'jti', 'gid', 'cnf', 'acr', 'auth_time', 'amr']

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

/**
 * RFC 6749 §3.3: tokens with single spaces between, or a list of them. What is no scope token is none: a member with a space in it would be
 * two to whoever is told the scopes as one text.
 */
function scopeSet(scope: unknown): ReadonlySet<string> | undefined {
  if (scope === undefined) return new Set()
  if (typeof scope === 'string') return remembered(scopeSets, scope, setOfScopes)
  return isTextList(scope) ? new Set(scope.filter(isScopeToken)) : undefined
}

function isScopeToken(text: string): boolean {
  return /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(text)
}

function setOfScopes(scope: string): ReadonlySet<string> {
  return new Set(scope.split(' ').filter(isScopeToken))
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

/**
 * Some issuers write a single group as a string. It is never split: a group's name may hold any separator. Others write an object with a
 * member for each (Zitadel).
 */
function groupList(groups: unknown): readonly string[] {
  if (isText(groups)) return [groups]
  if (isObject(groups)) return Object.keys(groups).filter((group) => group !== '')
  return isTextList(groups) ? groups.filter((group) => group !== '') : []
}

/** RFC 9449 §6.1. Undefined when the token is bound in another way too, one that can't be checked here. */
function soleThumbprint(cnf: JsonObject): string | undefined {
  return Object.keys(cnf).length === 1 ? textOf(member(cnf, 'jkt')) : undefined
}

/** A token taken apart, and the issuer that it claims to be of, which is a trusted one. NOT verified. */
export interface ClaimedToken {
  readonly jws: CompactJws
  readonly slot: TrustedSlot
}

/** Everything that can be said of a token before its key is needed: form, issuer, type, algorithm. */
export function claimedToken(token: string, trust: Trust): ClaimedToken | Rejection {
  const parsed = parseCompactJws(token)
  if (!parsed.ok) return rejected('malformed_token', `the token ${parsed.detail}`)
  const { jws } = parsed
  const iss = member(jws.payload, 'iss')
  if (typeof iss !== 'string') return rejected('missing_claim', 'the token must have the claim iss, a string')
  const slot = trust.get(iss)
  if (slot === undefined) return rejected('untrusted_issuer', `the issuer ${safeText(iss, 120)} is not trusted here`)
  const { tokenTypes, algorithms } = slot.settings
  const type = tokenTypeOf(jws.typ)
  if (type === undefined || !tokenTypes.includes(type)) return rejected('wrong_type', wrongType(jws.typ, tokenTypes))
  if (!algorithms.includes(jws.alg)) {
    const accepted = algorithms.join(', ')
    return rejected('bad_signature', `the token is signed with ${safeText(jws.alg, 20)}; accepted is ${accepted}`)
  }
  return { jws, slot }
}

/**
 * Verifies the signature with a key of the token's own issuer and reads the claims. `unknown_key` when the issuer's set has no key of this
 * `kid` that fits the algorithm; without `kid`, when not exactly one key fits. Does NOT judge time or revocation.
 */
export function verifySigned({ jws, slot }: ClaimedToken): SignedToken | Rejection {
  const checks = checksFor(jws, slot)
  if (checks.length === 0) return rejected('unknown_key', unknownKey(jws, slot))
  // One `kid` may stand at several keys when an issuer's set is careless; the signature tells which one was meant.
  if (!checks.some((isGood) => isGood(jws.signingInput, jws.signature))) {
    return rejected('bad_signature', "the token's signature is not by its issuer's key")
  }
  return readClaims(jws.payload, slot.settings, tokenTypeOf(jws.typ) ?? 'none')
}

/** Bounds what one token can cost. */
const MAX_KEYS_TRIED = 3

function checksFor({ alg, kid }: CompactJws, { keys }: TrustedSlot): readonly SignatureCheck[] {
  const fitting = keys.keys.filter((key) => (kid === undefined || key.kid === kid) && key.checks.has(alg))
  if (kid === undefined && fitting.length !== 1) return []
  return fitting
    .slice(0, MAX_KEYS_TRIED)
    .map((key) => key.checks.get(alg))
    .filter((check) => check !== undefined)
}

function unknownKey({ alg, kid }: CompactJws, { settings }: TrustedSlot): string {
  const issuer = safeText(settings.issuer, 120)
  if (kid === undefined) return `the token names no key (kid), and ${issuer} has not exactly one for ${alg}`
  return `${issuer} has no key ${safeText(kid, 80)} for ${alg}`
}

/** Undefined for the type of another kind of token. */
function tokenTypeOf(typ: string | undefined): TokenType | undefined {
  if (typ === undefined) return 'none'
  return NAMED_TYPES.find((type) => isMediaType(typ, type))
}

const NAMED_TYPES = ['at+jwt', 'jwt'] as const

function wrongType(typ: string | undefined, types: readonly TokenType[]): string {
  const wanted = types.map((type) => (type === 'none' ? 'no typ' : type)).join(' or ')
  const came = typ === undefined ? 'the token has no typ' : `the token's typ is ${safeText(typ, 40)}`
  return `${came}; an access token has ${wanted}. An ID token is no access token`
}
