import { createHmac, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { deriveKey } from '../keys/sealing.ts'

/** The name of the hidden field that ties a form to the interaction that it was shown in. */
export const GUARD_FIELD = 'csrf'

/** The value of the hidden field for one interaction. */
export function guardValue(masterKey: Buffer, uid: string): string {
  return createHmac('sha256', deriveKey(masterKey, 'forms')).update(uid).digest('base64url')
}

/** What ties the form of the device page to the browser session that it was shown in. */
export function sessionFormSecret(masterKey: Buffer, sessionId: string): string {
  return guardValue(masterKey, `session ${sessionId}`)
}

/** Whether a form carries the value that belongs to the interaction. */
export function isGuarded(masterKey: Buffer, uid: string, form: URLSearchParams): boolean {
  const [expected, actual] = [Buffer.from(guardValue(masterKey, uid)), Buffer.from(form.get(GUARD_FIELD) ?? '')]
  return expected.length === actual.length && timingSafeEqual(expected, actual)
}

/**
 * Whether a browser says that a POST was sent by a page of another origin. Browsers without Sec-Fetch-Site send Origin;
 * programs send neither.
 */
export function isFromElsewhere(request: IncomingMessage, origin: string): boolean {
  const site = request.headers['sec-fetch-site']
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return true
  const sender = request.headers.origin
  return sender !== undefined && sender !== origin && (sender !== 'null' || site === undefined)
}
