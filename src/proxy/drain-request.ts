import type { IncomingMessage } from 'node:http'
import type { Deadlines, Watched } from './deadlines.ts'

/** Long enough for a client to notice its answer, short enough that nobody can send for ever. */
const DRAIN_MS = 10_000

/**
 * Reads and forgets what is left of a body whose answer was given early: a connection that closes on unread bytes may take the answer with it
 * (RFC 9112 §9.6). A client that is not done after 10 s is cut off.
 */
export function drainRequest(request: IncomingMessage, deadlines: Deadlines, now: number): void {
  const limit: Watched = {
    deadline: now + DRAIN_MS,
    slot: -1,
    onDeadline: () => {
      deadlines.unwatch(limit)
      if (!request.complete) request.socket.destroy()
    },
  }
  deadlines.watch(limit)
  request.resume()
}
