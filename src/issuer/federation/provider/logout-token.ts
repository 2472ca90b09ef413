import { decodeJwt, decodeProtectedHeader } from 'jose'
import { isFault, orFault } from './provider-fault.ts'
import { isIssuer, TENANT } from './provider-metadata.ts'
import type { RelyingParty } from './relying-party.ts'

const EVENT = 'http://schemas.openid.net/event/backchannel-logout'
const OLDEST_SECONDS = 300
const CLOCKS_SECONDS = 30

/** What a logout token says (OpenID Connect Back-Channel Logout 1.0 §2.4), or why it says nothing. */
type LogoutWord =
  | {
      readonly kind: 'good'
      readonly sub: string | undefined
      readonly sid: string | undefined
      readonly claims: Readonly<Record<string, unknown>>
    }
  | { readonly kind: 'bad'; readonly detail: string }
  /** The provider's keys can't be had. */
  | { readonly kind: 'unavailable' }

/** Checks a logout token by the provider's keys. @param now NumericDate, seconds. Who or what it names is NOT looked up. */
export async function readLogoutToken(party: RelyingParty, token: string, now: number): Promise<LogoutWord> {
  const parsed = parse(token)
  if (parsed === undefined) return { kind: 'bad', detail: 'it is no JWT' }
  const verified = await orFault(async () => {
    const metadata = await party.metadata()
    await party.keys.verify(token, metadata)
    return { issuer: metadata.server.issuer }
  })
  if (isFault(verified)) {
    return verified.kind === 'invalid_token' ? { kind: 'bad', detail: verified.detail } : { kind: 'unavailable' }
  }
  const { claims, type } = parsed
  const fault = faultOf(party, verified.issuer, claims, type, now)
  if (fault !== undefined) return { kind: 'bad', detail: fault }
  return { kind: 'good', sub: text(claims.sub), sid: text(claims.sid), claims }
}

function faultOf(
  { provider }: RelyingParty,
  issuer: string,
  claims: Readonly<Record<string, unknown>>,
  type: string,
  now: number,
): string | undefined {
  const { iss, aud, iat, exp, events, sub, sid } = claims
  if (!['', 'jwt', 'logout+jwt'].includes(type)) return 'typ is not logout+jwt or JWT'
  const tenants = issuer.includes(TENANT) && iss !== issuer.replace(TENANT, String(claims.tid))
  if (typeof iss !== 'string' || !isIssuer(issuer, iss) || tenants) return 'iss is another issuer'
  if (![aud].flat().includes(provider.clientId)) return 'aud is another client'
  if (typeof iat !== 'number' || iat < now - OLDEST_SECONDS || iat > now + CLOCKS_SECONDS) {
    return 'iat is missing, more than 5 minutes ago or ahead'
  }
  if (exp !== undefined && !(typeof exp === 'number' && exp > now - CLOCKS_SECONDS)) return 'exp is over'
  if (!hasEvent(events)) return 'events does not name a back-channel logout'
  if ('nonce' in claims) return 'nonce is not allowed'
  if (!isTextOrNone(sub) || !isTextOrNone(sid)) return 'sub or sid is no text'
  return text(sub) === undefined && text(sid) === undefined ? 'neither sub nor sid' : undefined
}

function hasEvent(events: unknown): boolean {
  if (typeof events !== 'object' || events === null || !Object.hasOwn(events, EVENT)) return false
  const event: unknown = Reflect.get(events, EVENT)
  return typeof event === 'object' && event !== null && !Array.isArray(event)
}

/** There are serializers that write `null` for what is not there. */
function isTextOrNone(value: unknown): boolean {
  return value === undefined || value === null || typeof value === 'string'
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** `type` is '' where the header has none. */
function parse(token: string): { claims: Readonly<Record<string, unknown>>; type: string } | undefined {
  try {
    const { typ = '' }: { typ?: unknown } = decodeProtectedHeader(token)
    if (typeof typ !== 'string') return undefined
    return { claims: decodeJwt(token), type: typ.toLowerCase().replace(/^application\//, '') }
  } catch {
    return undefined
  }
}
