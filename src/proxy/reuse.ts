import type { RequestFraming } from './request-head.ts'

/** Idempotent by RFC 9110 §9.2.2 and RFC 4918, and with the same answer the second time. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'PROPFIND', 'REPORT', 'SEARCH'])

/** Node servers close after 5 s without saying so, and they are the hastiest that are common. */
const USUAL_IDLE_MS = 4_000
const LONGEST_IDLE_MS = 60_000
/** Hardly any server closes a connection that was idle for so short a time. */
const SURE_IDLE_MS = 1_000

/** Whether a request may be sent a second time, when no byte answered the first. */
export function maySendAgain(method: string, framing: RequestFraming): boolean {
  return framing === 0 && IDEMPOTENT.has(method)
}

/**
 * How long a connection may have been idle to carry this request, in milliseconds. One that can't be sent again must not meet an upstream that
 * is just closing.
 */
export function reuseWithinMs(method: string, framing: RequestFraming): number {
  return maySendAgain(method, framing) ? Number.POSITIVE_INFINITY : SURE_IDLE_MS
}

/** How long a connection is kept for another request: less than the upstream keeps it. */
export function idleLimitMs(keepAliveSeconds: number | undefined): number {
  if (keepAliveSeconds === undefined) return USUAL_IDLE_MS
  const hinted = keepAliveSeconds * 1_000
  return Math.min(LONGEST_IDLE_MS, hinted > 2_000 ? hinted - 1_000 : hinted / 2)
}
