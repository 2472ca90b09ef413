import type { FramingFault, RequestFraming } from '../core/headers/framing.ts'
import type { ForwardInput, UpstreamRequest } from './forward-input.ts'
import { renderRequestHead } from './http1/request-head.ts'
import type { ResponseHead } from './http1/response-head.ts'
import type { ConnectionUser, UpstreamConnection } from './upstream-connection.ts'
import type { UpstreamMember } from './upstreams.ts'

/** Idempotent by RFC 9110 §9.2.2 and RFC 4918, and with the same answer the second time. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'PROPFIND', 'REPORT', 'SEARCH'])

/** Node servers close after 5 s without saying so, and they are the hastiest that are common. */
const USUAL_IDLE_MS = 4_000
const LONGEST_IDLE_MS = 60_000
/** Hardly any server closes a connection that was idle for so short a time. */
const SURE_IDLE_MS = 1_000

/** Whether bytes follow the head. A framing that is faulty is never sent, but what follows it may be anything. */
export function hasBody(framing: RequestFraming | FramingFault): boolean {
  return framing !== 'none' && framing !== 0
}

/** Whether a request may be sent a second time, when no byte answered the first. */
export function maySendAgain(method: string, framing: RequestFraming | FramingFault): boolean {
  return !hasBody(framing) && IDEMPOTENT.has(method)
}

/**
 * How long a connection may have been idle to carry this request, in milliseconds. One that can't be sent again must not meet an upstream that
 * is just closing.
 */
export function reuseWithinMs(method: string, framing: RequestFraming | FramingFault): number {
  return maySendAgain(method, framing) ? Number.POSITIVE_INFINITY : SURE_IDLE_MS
}

/** How long a connection is kept for another request: less than the upstream keeps it. */
export function idleLimitMs(keepAliveSeconds: number | undefined): number {
  if (keepAliveSeconds === undefined) return USUAL_IDLE_MS
  const hinted = keepAliveSeconds * 1_000
  return Math.min(LONGEST_IDLE_MS, hinted > 2_000 ? hinted - 1_000 : hinted / 2)
}

/** Longer than the usual 40 ms for which a reader holds an acknowledgement back, and a writer (Nagle) its next segment. */
const REST_MS = 50

/**
 * How long a connection rests before another request may have it, in milliseconds. Some servers send a body after their answer to HEAD, or with 204
 * and 304, one segment later: it would be the beginning of the next answer.
 */
function restMs(head: ResponseHead | undefined): number {
  return head !== undefined && (head.framing === 'none' || (head.framing === 'length' && head.length === 0))
    ? REST_MS
    : 0
}

/** Where one request was sent, and where it may be sent after that failed. */
export class Attempts {
  readonly #input: ForwardInput
  readonly #framing: RequestFraming | FramingFault
  readonly #user: ConnectionUser
  readonly #upgrade: boolean
  /** What an upgrade asks for. */
  readonly #protocol: string | undefined
  readonly #tried: UpstreamMember[] = []
  /** What was sent last, and to whom. */
  #sent: UpstreamRequest
  #member: UpstreamMember
  #sentAgain = false
  #connection: UpstreamConnection | undefined

  /** @param upgrade 101 opens a tunnel: the connection is a new one, and nothing is sent twice. */
  constructor(input: ForwardInput, framing: RequestFraming | FramingFault, user: ConnectionUser, upgrade: boolean) {
    this.#protocol = upgrade ? fieldOf(input.headers, 'upgrade') : undefined
    this.#upgrade = upgrade
    this.#input = input
    this.#framing = framing
    this.#user = user
    this.#sent = input
    this.#member = input.member
  }

  get connection(): UpstreamConnection | undefined {
    return this.#connection
  }

  /** Writes the head; undefined when it can't be written. The connection may be yet to be made. */
  first(): UpstreamConnection | undefined {
    return this.#send(this.#input.member, this.#input, false)
  }

  /**
   * Sends the request once more, where that is safe and of use: to another upstream when this one never got it; to another, or over a new
   * connection when the old one was a kept one, when it may have got it but the request is idempotent and nothing was answered. Undefined: it is
   * not sent; `overtaken`: it would be, if it were still permitted.
   */
  again(lost: UpstreamConnection): UpstreamConnection | 'overtaken' | undefined {
    const { method, upstreams } = this.#input
    if (!lost.reused) this.#member.failed()
    if (lost.connected) {
      const once = !this.#upgrade && !this.#sentAgain && !lost.answered
      if (!once || !maySendAgain(method, this.#framing)) return undefined
      this.#sentAgain = true
    }
    const other = upstreams.chooseOther(this.#tried)
    if ((other !== undefined || lost.reused) && !this.#input.stands()) return 'overtaken'
    const request = other === undefined ? undefined : this.#input.towards(other.upstream)
    if (other !== undefined && request !== undefined) return this.#send(other, request, false)
    return lost.reused ? this.#send(this.#member, this.#sent, true) : undefined
  }

  succeeded(): void {
    this.#member.succeeded()
  }

  /** The request is no longer under way; what becomes of its connection is the caller's to say. */
  release(): UpstreamConnection | undefined {
    const connection = this.#connection
    if (connection !== undefined) this.#member.active -= 1
    this.#connection = undefined
    return connection
  }

  /** The answer is whole, and so is what was sent: its connection serves others, where the answer leaves it fit for that. */
  giveBack(head: ResponseHead | undefined): void {
    this.release()?.release(head?.persistent ?? false, idleLimitMs(head?.keepAliveSeconds), restMs(head))
  }

  #send(member: UpstreamMember, request: UpstreamRequest, fresh: boolean): UpstreamConnection | undefined {
    const { method } = this.#input
    const head = renderRequestHead(method, request.target, request.headers, this.#framing)
    if (head === undefined) return undefined
    this.#tried.push(member)
    this.#member = member
    this.#sent = request
    member.active += 1
    const connection = member.acquire(fresh || this.#upgrade ? 0 : reuseWithinMs(method, this.#framing))
    this.#connection = connection
    connection.use(this.#user, method === 'HEAD', this.#protocol)
    connection.writeHead(head)
    return connection
  }
}

function fieldOf(headers: readonly string[] | string, name: string): string | undefined {
  if (typeof headers === 'string') return undefined
  const at = headers.findIndex((each, i) => i % 2 === 0 && each.toLowerCase() === name)
  return at === -1 ? undefined : headers[at + 1]
}
