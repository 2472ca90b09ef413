import type { SessionAnswer } from '../../core/back-channel.ts'
import { isOwnRequest } from '../../core/own-request.ts'
import type { VerifiedToken } from '../../core/token.ts'
import { hashOf } from '../credentials/app-password-evidence.ts'
import { originOf } from '../policy.ts'
import { type BrowserAnswer, type BrowserCall, ownJson } from './browser-call.ts'
import { readBrowserCookie } from './cookies.ts'
import { returnPlace } from './return-place.ts'
import { signInUrl } from './sign-ins.ts'

/** `session`: whether this browser is signed in, and until when. Never a token; asking is no use of the session. */
export async function showSession(call: BrowserCall): Promise<BrowserAnswer> {
  const { policy, head, routing } = call.reserved
  const origin = originOf(policy, routing.host)
  const place = returnPlace(policy, routing.host, '')
  const resource = place?.resource.identifier ?? ''
  const found = await look(call, origin, resource)
  const ways = {
    sign_in: signInUrl(policy, routing.host, place?.route.path ?? '/'),
    sign_out: `${origin}/.audgate/sign-out`,
  }
  const isHead = head.method === 'HEAD'
  if (found === undefined) return { answer: ownJson({ active: false, ...ways }, isHead) }
  const { session, token } = found
  const document = {
    active: true,
    username: token.username,
    resource,
    scopes: [...token.scope],
    idle_expires_at: session.idleExpiresAt,
    expires_at: session.expiresAt,
  }
  return { answer: ownJson({ ...document, ...ways }, isHead) }
}

async function look(
  { reserved: { policy, head }, credentials, now }: BrowserCall,
  origin: string,
  resource: string,
): Promise<
  { readonly session: Extract<SessionAnswer, { kind: 'session' }>; readonly token: VerifiedToken } | undefined
> {
  const { method, rawHeaders } = head
  const id = readBrowserCookie(policy, rawHeaders, 'web')
  if (id === undefined || !isOwnRequest({ method, rawHeaders, origin, allowed: [] })) return undefined
  const session = await credentials.sessions.look({ idHash: hashOf(id), origin, resource })
  if (session.kind === 'gone' || session.exchange.kind !== 'token') return undefined
  const evidence = await credentials.verify(session.exchange.token, now() / 1_000)
  return evidence.kind === 'verified' ? { session, token: evidence.token } : undefined
}
