import type { ForwardInput, UpstreamRequest } from './forward.ts'
import { type RequestFraming, renderRequestHead } from './request-head.ts'
import { maySendAgain, reuseWithinMs } from './reuse.ts'
import type { ConnectionUser, UpstreamConnection } from './upstream-connection.ts'
import type { UpstreamMember } from './upstream-member.ts'

/** Where one request was sent, and where it may be sent after that failed. */
export class Attempts {
  readonly #input: ForwardInput
  readonly #framing: RequestFraming
  readonly #user: ConnectionUser
  readonly #upgrade: boolean
  readonly #tried: UpstreamMember[] = []
  /** What was sent last, and to whom. */
  #sent: UpstreamRequest
  #member: UpstreamMember
  #sentAgain = false
  #connection: UpstreamConnection | undefined

  /** @param upgrade 101 opens a tunnel: the connection is a new one, and nothing is sent twice. */
  constructor(input: ForwardInput, framing: RequestFraming, user: ConnectionUser, upgrade: boolean) {
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
   * not sent.
   */
  again(lost: UpstreamConnection): UpstreamConnection | undefined {
    const { method, upstreams } = this.#input
    if (!lost.reused) this.#member.failed()
    if (lost.connected) {
      const once = !this.#upgrade && !this.#sentAgain && !lost.answered
      if (!once || !maySendAgain(method, this.#framing)) return undefined
      this.#sentAgain = true
    }
    const other = upstreams.chooseOther(this.#tried)
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
    connection.use(this.#user, method === 'HEAD', this.#upgrade)
    connection.writeHead(head)
    return connection
  }
}
