import type { IncomingMessage } from 'node:http'
import { type IssuerContext, seconds } from '../context.ts'
import { issuerRequestOf } from '../http/request.ts'
import { deviceLabel } from './authorization-label.ts'

/** A session of somebody, as the library keeps it. */
interface SignedInSession {
  readonly uid: string
  readonly sub: string
  /** NumericDate, seconds. */
  readonly signedInAt: number
  /** How long it lasts unused. */
  readonly seconds: number
}

/** Notes in which browser, and from where, a session is used; false when an act has ended the session. */
export function noteSession(
  context: IssuerContext,
  request: IncomingMessage,
  { uid, sub, signedInAt, seconds: life }: SignedInSession,
): Promise<boolean> {
  const now = seconds(context)
  return context.store.noteSession({
    issuerSession: uid,
    sub,
    browser: deviceLabel(request.headers['user-agent']),
    address: issuerRequestOf(request).address,
    createdAt: signedInAt,
    seenAt: now,
    expiresAt: now + life,
  })
}
