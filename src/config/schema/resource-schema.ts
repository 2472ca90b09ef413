import { z } from 'zod'
import { faulty, isTailNormal, type Parsed, parsed, parseSafeUrl, plainText, textLeaf } from './leaf.ts'

/** A name in the file's own maps. */
export function nameKey(parse: (text: string) => Parsed<string>) {
  return z.string().check((context) => {
    const result = parse(context.value)
    if (!result.ok) context.issues.push({ code: 'custom', message: result.fault, input: context.value })
  })
}

// What the issuer puts into every token itself; a claim of the same name would say something else about the same thing.
const OWN_CLAIMS = new Set([
  ...['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti', 'client_id', 'scope', 'auth_time', 'amr', 'acr', 'gid', 'cnf'],
  ...['username', 'groups', 'act', 'may_act', 'sid', 'nonce', 'azp', 'idp'],
])

const GRANT = z
  .strictObject({
    groups: z
      .array(textLeaf('A group of accounts.', parseGroup))
      .min(1, { error: 'must name at least one group' })
      .meta({ description: 'Members of any of them.' }),
    scopes: z
      .array(textLeaf('A scope of this resource.', scopeText))
      .min(1, { error: 'must name at least one scope' })
      .meta({ description: 'What they may be given.' }),
  })
  .meta({ description: 'Who may be given what.' })

/** One entry of `resources`. Keys that depend on each other are checked in check-resources.ts. */
export const RESOURCE = z
  .strictObject({
    id: textLeaf('RFC 8707 identifier: the `aud` that its tokens must carry.', parseResourceIdentifier),
    name: textLeaf('What people see when they consent.', plainText),
    scopes: z
      .record(nameKey(scopeText), textLeaf('What the scope allows, in words for people.', plainText))
      .meta({ description: 'Scopes and what they allow, in words.' }),
    grants: z
      .array(GRANT)
      .meta({ description: 'Who may be given what by the embedded issuer; no line, no token.' })
      .prefault([]),
    issuers: z
      .array(textLeaf('`embedded`, or an `issuer` of trusted_issuers.', plainText))
      .min(1, { error: 'must name at least one issuer' })
      .meta({ description: 'Whose tokens are accepted; default the embedded issuer.' })
      .optional(),
    accept_audiences: z
      .array(textLeaf('An `aud` value.', plainText))
      .meta({ description: 'Further `aud` values, for migration from client-id audiences.' })
      .prefault([]),
    claims: z
      .array(textLeaf('A claim such as email.', parseClaim))
      .meta({ description: 'Further claims that the embedded issuer puts into its tokens.' })
      .prefault([]),
    session_scopes: z
      .array(textLeaf('A scope of this resource.', scopeText))
      .min(1, { error: 'must name at least one scope; without the key sessions get all that may be granted' })
      .meta({ description: 'What a browser’s session asks for; default all that may be granted.' })
      .optional(),
  })
  .meta({ description: 'What tokens are made for.' })

/** Scopes that mean something about the person (OpenID Connect Core §5.4, §11). */
const OPENID_CONNECT: ReadonlySet<string> = new Set([
  'openid',
  'profile',
  'email',
  'address',
  'phone',
  'offline_access',
])

/** One scope-token (RFC 6749 §3.3) that means nothing else to OpenID Connect. */
export function scopeText(text: string): Parsed<string> {
  if (OPENID_CONNECT.has(text))
    return faulty(`must not be one of ${[...OPENID_CONNECT].join(', ')}: OpenID Connect’s own`)
  return /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/.test(text)
    ? parsed(text)
    : faulty('must be a scope: printable ASCII without spaces, " and \\')
}

function parseResourceIdentifier(text: string): Parsed<string> {
  const result = parseSafeUrl(text)
  if (!result.ok) return result
  // Clients build the metadata's address from it by the URL standard; what that rewrites would never be found.
  return isTailNormal(text, result.value)
    ? parsed(text)
    : faulty('must be written as browsers send it: no dot segments, and other characters percent-encoded')
}

function parseGroup(text: string): Parsed<string> {
  return text.includes(',') ? faulty('must not have a comma; write a list') : plainText(text)
}

function parseClaim(text: string): Parsed<string> {
  return OWN_CLAIMS.has(text) ? faulty('must not be a claim that every token has of its own') : plainText(text)
}
