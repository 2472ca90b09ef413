import type { Permit } from '../core/decide.ts'
import { readRequestFraming } from '../core/headers/framing.ts'
import { Attempts } from './attempts.ts'
import type { ClientRequest, ClientResponse } from './client.ts'
import { ClientAnswer } from './client-answer.ts'
import type { Watched } from './deadlines.ts'
import type { ForwardInput } from './forward-input.ts'
import type { ResponseHead } from './http1/response-head.ts'
import type { ForwardOutcome, UpstreamFault } from './outcome.ts'
import { overtakingIn, type Phase, stillnessIn } from './phase.ts'
import { drainRequest, RequestBody, type RequestBodyOwner } from './request-body.ts'
import type { ConnectionUser, UpstreamConnection } from './upstream-connection.ts'

/** Takes an exchange over once its upstream has switched protocols; `attempts` is to be released at the end. */
type TakeTunnel = (head: ResponseHead, attempts: Attempts, firstByteMs: number) => void

/** One request on its way: from the client to an upstream, and the answer back. */
export class Exchange implements ConnectionUser, RequestBodyOwner, Watched {
  readonly #permit: Permit
  readonly #input: ForwardInput
  readonly #request: ClientRequest
  readonly #response: ClientResponse
  readonly #done: (outcome: ForwardOutcome) => void
  readonly #attempts: Attempts
  readonly #body: RequestBody
  readonly #answer: ClientAnswer
  readonly #takeTunnel: TakeTunnel | undefined
  #startedAt = 0
  #phase: Phase = 'connecting'
  /** The client takes no more for now. */
  #paused = false
  #listensToDrain = false
  #firstByteMs = 0
  #head: ResponseHead | undefined
  deadline = Number.POSITIVE_INFINITY
  slot = -1

  constructor(
    permit: Permit,
    input: ForwardInput,
    request: ClientRequest,
    response: ClientResponse,
    done: (outcome: ForwardOutcome) => void,
    takeTunnel: TakeTunnel | undefined,
  ) {
    // What follows the head of an upgrade belongs to the tunnel.
    const framing = takeTunnel === undefined ? readRequestFraming(request.rawHeaders, request.httpVersion) : 'none'
    this.#takeTunnel = takeTunnel
    this.#permit = permit
    this.#input = input
    this.#request = request
    this.#response = response
    this.#done = done
    this.#attempts = new Attempts(input, framing, this, takeTunnel !== undefined)
    this.#body = new RequestBody(request, framing, input.maxBody, this)
    this.#answer = new ClientAnswer(response, input)
  }

  start(): void {
    const { socket } = this.#request
    this.#input.upstreams.deadlines.watch(this)
    if (socket.destroyed || this.#response.destroyed) this.#later(() => this.#clientClosed('before it was sent on'))
    else if (this.#body.announcedTooLarge) this.#later(() => this.onBodyTooLarge())
    else this.#begin()
  }

  abort(): void {
    if (this.#phase === 'settled') return
    this.#response.destroy()
    this.#clientClosed('aborted')
  }

  permitIsOver(isOver: (permit: Permit) => boolean): boolean {
    return isOver(this.#permit)
  }

  overtake(): boolean {
    const overtaking = overtakingIn(this.#phase, this.#takeTunnel !== undefined)
    if (overtaking === 'answering') this.#body.stop()
    else this.#overtaken(overtaking === 'anew')
    return overtaking !== 'answering'
  }

  onConnected(): void {
    if (this.#input.stands()) this.#send()
    else this.#overtaken(true)
  }

  #send(): void {
    const { timeouts } = this.#input
    const { connection } = this.#attempts
    if (connection === undefined) return
    if (!this.#body.sent) this.#input.onBodyWanted()
    this.#phase = this.#body.sent ? 'waiting' : 'sending'
    this.#within(this.#body.sent ? timeouts.responseHeadersMs : timeouts.idleMs)
    this.#body.start(connection)
  }

  onBodyProgress(): void {
    this.#within(this.#input.timeouts.idleMs)
  }

  /** From here on the upstream's time to answer counts: a long upload is no slow upstream. */
  onBodySent(): void {
    if (this.#phase !== 'sending') return
    this.#phase = 'waiting'
    this.#within(this.#input.timeouts.responseHeadersMs)
  }

  onBodyTooLarge(): void {
    const headSent = this.#stop()
    this.#settle({ kind: 'body_too_large', headSent, ...this.#bytes() })
  }

  onBodyBroken(detail: string): void {
    this.#fail('protocol', detail)
  }

  onDrain(): void {
    this.#body.onDrain()
  }

  onInformation(head: ResponseHead): void {
    this.#answer.inform(head)
  }

  onUpgrade(head: ResponseHead): void {
    this.#unwatch()
    this.#takeTunnel?.(head, this.#attempts, this.#input.upstreams.clock() - this.#startedAt)
  }

  onHead(head: ResponseHead): void {
    this.#firstByteMs = this.#input.upstreams.clock() - this.#startedAt
    this.#head = head
    this.#phase = 'receiving'
    this.#within(this.#input.timeouts.idleMs)
    this.#attempts.succeeded()
    this.#answer.begin(head)
  }

  onBody(chunk: Buffer): void {
    this.#within(this.#input.timeouts.idleMs)
    if (!this.#open() || this.#answer.push(chunk) || this.#paused) return
    this.#paused = true
    this.#attempts.connection?.pause()
    if (!this.#listensToDrain) this.#response.on('drain', this.#onClientDrain)
    this.#listensToDrain = true
  }

  onReadDone(): void {
    if (this.#phase === 'receiving' && !this.#answer.flushed) setImmediate(this.#flushHead)
  }

  onEnd(last: Buffer | undefined, trailers: readonly string[]): void {
    if (!this.#open()) return
    this.#phase = 'finishing'
    this.#within(this.#input.timeouts.idleMs)
    this.#giveBack()
    this.#answer.end(last, trailers)
  }

  onLost(fault: UpstreamFault, detail: string): void {
    this.#sendAgainOr(fault, detail)
  }

  onDeadline(): void {
    const still = stillnessIn(this.#phase, this.#body.blocked, this.#paused)
    if (still?.ends === 'attempt') this.#sendAgainOr('timeout', still.detail)
    else if (still?.ends === 'upstream') this.#fail('timeout', still.detail)
    else if (still?.ends === 'client') this.#leaveClient(still.detail)
  }

  /** Many servers write head and body one after the other: what has come by now leaves in one segment. */
  readonly #flushHead = (): void => {
    if (this.#phase === 'receiving' && this.#open()) this.#answer.flush()
  }

  readonly #onClientDrain = (): void => {
    if (!this.#paused) return
    this.#paused = false
    this.#within(this.#input.timeouts.idleMs)
    this.#attempts.connection?.resume()
  }

  readonly #onClientClose = (): void => {
    if (this.#phase === 'settled') return
    const { status } = this.#answer
    if (this.#phase !== 'finishing' || status === undefined || !this.#response.writableFinished)
      this.#clientClosed('it left')
    else this.#complete(status)
  }

  /** The head goes with the first bytes: what turns out to be no answer before is answered for instead. */
  #open(): boolean {
    const opened = this.#answer.open()
    if (!opened) this.#fail('protocol', 'a field of its header can not be sent on')
    return opened
  }

  #complete(status: number): void {
    this.#settle({ kind: 'completed', status, firstByteMs: this.#firstByteMs, ...this.#bytes() })
  }

  #begin(): void {
    this.#response.on('close', this.#onClientClose)
    this.#startedAt = this.#input.upstreams.clock()
    const connection = this.#attempts.first()
    if (connection === undefined) this.#later(() => this.#fail('protocol', 'a field of the request can not be sent'))
    else if (!this.#connecting(connection)) this.#send()
  }

  /** False: it is connected already. */
  #connecting(connection: UpstreamConnection): boolean {
    this.#phase = 'connecting'
    this.#within(this.#input.timeouts.connectMs)
    return !connection.connected
  }

  /** `done` is never called before `forward` has returned. */
  #later(callback: () => void): void {
    process.nextTick(() => {
      if (this.#phase !== 'settled') callback()
    })
  }

  #within(ms: number): void {
    this.deadline = this.#input.upstreams.clock() + ms
  }

  #sendAgainOr(fault: UpstreamFault, detail: string): void {
    const lost = this.#attempts.release()
    this.#body.stop()
    lost?.destroy()
    const next = lost === undefined ? undefined : this.#attempts.again(lost)
    if (next === undefined) this.#fail(fault, detail)
    else if (next === 'overtaken') this.#overtaken(true)
    else if (!this.#connecting(next)) this.#send()
  }

  /** The answer is whole: its connection serves others, unless it waits for the rest of a request that nobody wants any more. */
  #giveBack(): void {
    if (this.#paused) this.#attempts.connection?.resume()
    if (this.#body.sent) return void this.#attempts.giveBack(this.#head)
    const { deadlines, clock } = this.#input.upstreams
    this.#body.stop()
    this.#attempts.release()?.destroy()
    drainRequest(this.#request, deadlines, clock())
  }

  #fail(fault: UpstreamFault, detail: string): void {
    const headSent = this.#stop()
    this.#settle({ kind: 'failed', fault, detail, headSent, ...this.#bytes() })
  }

  /** No byte more goes upstream. @param unsent Nothing of a body was read, and what an upstream may have got can be sent twice. */
  #overtaken(unsent: boolean): void {
    this.#stop()
    this.#settle({ kind: 'overtaken', unsent, ...this.#bytes() })
  }

  /** The client stands still: it is left, so that it holds nothing any longer. */
  #leaveClient(detail: string): void {
    this.#request.socket.destroy()
    this.#clientClosed(detail)
  }

  #clientClosed(detail: string): void {
    this.#body.stop()
    this.#attempts.release()?.destroy()
    this.#settle({ kind: 'client_closed', status: this.#answer.status, detail, ...this.#bytes() })
  }

  /** Ends the upstream's side, and the client's where it has a head already; answers whether it has. */
  #stop(): boolean {
    const headSent = this.#answer.status !== undefined
    this.#body.stop()
    this.#attempts.release()?.destroy()
    if (headSent) this.#answer.break()
    return headSent
  }

  #bytes(): { readonly bytesIn: number; readonly bytesOut: number } {
    return { bytesIn: this.#body.bytes, bytesOut: this.#answer.bytes }
  }

  #settle(outcome: ForwardOutcome): void {
    if (this.#phase === 'settled') return
    this.#unwatch()
    this.#done(outcome)
  }

  #unwatch(): void {
    this.#phase = 'settled'
    this.#input.upstreams.deadlines.unwatch(this)
    this.#response.off('close', this.#onClientClose)
    if (this.#listensToDrain) this.#response.off('drain', this.#onClientDrain)
  }
}
