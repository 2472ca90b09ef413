import { Deadlines, type Watched } from '../proxy/deadlines.ts'
import type { AnyResponse } from './call.ts'

/** As long as answers of upstreams wait for who doesn't read them, unless a route says otherwise. */
const UNTAKEN_MS = 300_000

/** Ends connections whose clients send requests and never read what the gateway answers itself: nothing else would. */
export class SendTimeouts {
  readonly #limitMs: number
  readonly #deadlines = new Deadlines(
    () => performance.now(),
    () => false,
  )

  constructor(limitMs = UNTAKEN_MS) {
    this.#limitMs = limitMs
  }

  /** For an answer that is about to be given whole. */
  watch(response: AnyResponse): void {
    const untaken = new PendingAnswer(response, this.#limitMs)
    this.#deadlines.watch(untaken)
    response.once('close', () => this.#deadlines.unwatch(untaken))
  }
}

class PendingAnswer implements Watched {
  readonly #response: AnyResponse
  readonly #limitMs: number
  deadline: number
  slot = -1

  constructor(response: AnyResponse, limitMs: number) {
    this.#response = response
    this.#limitMs = limitMs
    this.deadline = performance.now() + limitMs
  }

  onDeadline(now: number): void {
    // While an earlier answer of the connection is being taken, this one can't be.
    if (this.#response.socket === null) this.deadline = now + this.#limitMs
    else this.#response.destroy()
  }
}
