import type { HeaderSource, IdentitySet, Route } from '../route.ts'
import type { VerifiedToken } from '../token.ts'
import { cgiName } from './fields.ts'

/** What an identity header is made from. */
type IdentitySource = 'username' | 'subject' | 'groups' | 'email' | 'name' | 'client' | 'issuer' | 'scope'

interface IdentityHeader {
  readonly name: string
  readonly source: IdentitySource
}

/** Bytes of values that are sent upstream, after encoding. */
const MAX_IDENTITY_BYTES = 8192

/** The header sets by name. Every name in here is protected on every route, whichever set it uses. */
export const IDENTITY_SETS: Readonly<Record<IdentitySet, readonly IdentityHeader[]>> = {
  'x-auth': [
    { name: 'X-Auth-Username', source: 'username' },
    { name: 'X-Auth-Subject', source: 'subject' },
    { name: 'X-Auth-Groups', source: 'groups' },
    { name: 'X-Auth-Email', source: 'email' },
    { name: 'X-Auth-Name', source: 'name' },
    { name: 'X-Auth-Client', source: 'client' },
    { name: 'X-Auth-Issuer', source: 'issuer' },
    { name: 'X-Auth-Scope', source: 'scope' },
  ],
  'remote-user': [
    { name: 'Remote-User', source: 'username' },
    { name: 'Remote-Groups', source: 'groups' },
    { name: 'Remote-Email', source: 'email' },
    { name: 'Remote-Name', source: 'name' },
  ],
  'x-forwarded-user': [
    { name: 'X-Forwarded-User', source: 'username' },
    { name: 'X-Forwarded-Preferred-Username', source: 'username' },
    { name: 'X-Forwarded-Groups', source: 'groups' },
    { name: 'X-Forwarded-Email', source: 'email' },
  ],
  'x-webauth': [
    { name: 'X-WEBAUTH-USER', source: 'username' },
    { name: 'X-WEBAUTH-GROUPS', source: 'groups' },
    { name: 'X-WEBAUTH-EMAIL', source: 'email' },
    { name: 'X-WEBAUTH-NAME', source: 'name' },
  ],
  none: [],
}

/** Why a good token's claims can't be sent. */
export interface IdentityFault {
  readonly fault: 'malformed_claim' | 'identity_too_large'
  readonly detail: string
}

/**
 * The identity set of a route and its further `headers` for a token, as raw pairs. An absent, empty or wrongly typed claim
 * sends none; without a token (public routes and paths) only fixed texts are sent. A further header replaces one of the set.
 * @param readers Of this route; made once where many tokens are read.
 */
export function identityHeaders(
  route: Route,
  token: VerifiedToken | undefined,
  readers: readonly IdentityReader[] = identityReaders(route),
): string[] | IdentityFault {
  const pairs: string[] = []
  let bytes = 0
  for (const { name, read } of readers) {
    const value = read(token)
    const text = typeof value === 'string' ? encodeValue(value, false) : encodeList(value)
    if (text === undefined)
      return { fault: 'malformed_claim', detail: `the claim for ${name} has bytes that no header can carry` }
    if (text === '') continue
    bytes += text.length
    if (bytes > MAX_IDENTITY_BYTES) {
      return {
        fault: 'identity_too_large',
        detail: `the claims for the upstream's headers exceed ${MAX_IDENTITY_BYTES} bytes`,
      }
    }
    pairs.push(name, text)
  }
  return pairs
}

/**
 * A claim's text as a header value. `%`, non-ASCII as UTF-8 and (in list members) commas are percent-encoded, and spaces at
 * either end, which every HTTP parser would trim: no two identities look alike. Undefined for control characters and unpaired
 * surrogates.
 */
export function encodeValue(text: string, listMember: boolean): string | undefined {
  if ((listMember ? PLAIN_MEMBER : PLAIN_VALUE).test(text)) return text
  if (hasControl(text) || !text.isWellFormed()) return undefined
  const encoded = text.replace(listMember ? /[%,]|[^ -~]+/g : /%|[^ -~]+/g, percentEncoded)
  const bare = encoded.trim()
  const start = encoded.indexOf(bare)
  return '%20'.repeat(start) + bare + '%20'.repeat(encoded.length - start - bare.length)
}

// What is sent as it is, as nearly everything: a text that neither begins nor ends with a space.
const PLAIN_VALUE = /^(?! )[ -$&-~]*(?<! )$/
const PLAIN_MEMBER = /^(?! )[ -$&-+\--~]*(?<! )$/

type Value = string | readonly string[]

/** Where one header of a route comes from. */
interface IdentityReader {
  readonly name: string
  readonly read: (token: VerifiedToken | undefined) => Value
}

const SOURCES: Readonly<Record<IdentitySource, (token: VerifiedToken) => Value>> = {
  username: (token) => token.username ?? (isClientItself(token) ? '' : token.subject),
  subject: (token) => token.subject,
  groups: (token) => token.groups,
  email: (token) => textClaim(token, 'email'),
  name: (token) => textClaim(token, 'name'),
  client: (token) => token.clientId,
  issuer: (token) => token.issuer,
  scope: (token) => [...token.scope].join(' '),
}

/**
 * Nobody stands behind the token but the client, whose id is its subject (RFC 9068 §2.2, client credentials). Ids and user names are two
 * name spaces: where a user's name stands, an id would be taken for the user of that name.
 */
function isClientItself({ username, subject, clientId }: VerifiedToken): boolean {
  return username === undefined && subject === clientId
}

/** The route's identity set, without what its `headers` replace, and those. */
export function identityReaders(route: Route): readonly IdentityReader[] {
  const replaced = new Set(route.headers.map(({ name }) => cgiName(name)))
  const set = IDENTITY_SETS[route.identity].filter(({ name }) => !replaced.has(cgiName(name)))
  return [...set.map(setReader), ...route.headers.map(readerOf)]
}

function setReader({ name, source }: IdentityHeader): IdentityReader {
  return { name, read: (token) => (token ? SOURCES[source](token) : '') }
}

function readerOf(header: HeaderSource): IdentityReader {
  if ('text' in header) return { name: header.name, read: () => header.text }
  return { name: header.name, read: (token) => (token ? anyClaim(token, header.claim) : '') }
}

function ownClaim(token: VerifiedToken, name: string): unknown {
  return Object.hasOwn(token.claims, name) ? token.claims[name] : undefined
}

function textClaim(token: VerifiedToken, name: string): string {
  const value = ownClaim(token, name)
  return typeof value === 'string' ? value : ''
}

function anyClaim(token: VerifiedToken, name: string): Value {
  const value = ownClaim(token, name)
  if (Array.isArray(value)) return value.every((member) => typeof member === 'string') ? value : ''
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : textClaim(token, name)
}

function encodeList(members: readonly string[]): string | undefined {
  const encoded: string[] = []
  for (const member of members) {
    const text = encodeValue(member, true)
    if (text === undefined) return undefined
    if (text !== '') encoded.push(text)
  }
  return encoded.join(',')
}

function hasControl(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 0x20 || code === 0x7f) return true
  }
  return false
}

function percentEncoded(text: string): string {
  if (text === '%') return '%25'
  return text === ',' ? '%2C' : encodeURIComponent(text)
}
