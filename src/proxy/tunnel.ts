import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Permit } from '../core/decide.ts'
import type { Attempts } from './attempts.ts'
import type { ClientRequest } from './client.ts'
import { informationalHead } from './client-answer.ts'
import type { Watched } from './deadlines.ts'
import { Exchange } from './exchange.ts'
import type { ForwardInput } from './forward-input.ts'
import type { ResponseHead } from './http1/response-head.ts'
import type { ForwardOutcome, UpstreamFault } from './outcome.ts'
import type { ConnectionUser } from './upstream-connection.ts'

/** For a side that doesn't take the last of what the other said. */
const LINGER_MS = 5_000

interface TunnelEnds {
  readonly socket: Socket
  /** Holds the upstream's connection. */
  readonly attempts: Attempts
  readonly firstByteMs: number
  readonly done: (outcome: ForwardOutcome) => void
}

/** A connection that has switched protocols: bytes go both ways, each side no faster than the other takes them. */
class OpenTunnel implements ConnectionUser, Watched {
  readonly #input: ForwardInput
  readonly #ends: TunnelEnds
  #bytesIn = 0
  #bytesOut = 0
  #ended = false
  deadline = Number.POSITIVE_INFINITY
  slot = -1

  constructor(input: ForwardInput, ends: TunnelEnds) {
    this.#input = input
    this.#ends = ends
  }

  /** @param early What the client sent ahead of the answer. */
  start(answer: ResponseHead, early: Buffer): void {
    const { socket, attempts } = this.#ends
    socket.write(informationalHead(answer, this.#input), 'latin1')
    attempts.connection?.handOver(this)
    this.#within()
    this.#input.upstreams.deadlines.watch(this)
    socket.setNoDelay(true)
    socket.setTimeout(0)
    socket.on('drain', this.#onClientDrain)
    socket.on('end', this.#onClientEnd)
    socket.on('close', this.#onClientClose)
    if (early.length > 0) this.#onClientData(early)
    socket.on('data', this.#onClientData)
    socket.resume()
    if (socket.destroyed) this.#onClientClose()
  }

  close(): void {
    this.#end(() => {
      this.#ends.socket.destroy()
      this.#ends.attempts.connection?.destroy()
    })
  }

  onBody(chunk: Buffer): void {
    const { socket, attempts } = this.#ends
    this.#bytesOut += chunk.length
    this.#within()
    if (!socket.write(Buffer.from(chunk))) attempts.connection?.pause()
  }

  onDrain(): void {
    this.#within()
    this.#ends.socket.resume()
  }

  /** The upstream has ended its side: what it said still arrives. */
  onEnd(): void {
    this.#end(() => this.#leaveClient())
  }

  onLost(fault: UpstreamFault, detail: string): void {
    this.#end(() => this.#leaveClient(), { fault, detail })
  }

  onDeadline(): void {
    this.close()
  }

  onConnected(): void {}
  onHead(): void {}
  onInformation(): void {}
  onReadDone(): void {}
  onUpgrade(): void {}

  readonly #onClientData = (chunk: Buffer): void => {
    this.#bytesIn += chunk.length
    this.#within()
    if (this.#ends.attempts.connection?.write(chunk) === false) this.#ends.socket.pause()
  }

  readonly #onClientDrain = (): void => {
    this.#within()
    this.#ends.attempts.connection?.resume()
  }

  readonly #onClientEnd = (): void => {
    this.#end(() => {
      this.#ends.attempts.connection?.endSoon(LINGER_MS)
      this.#ends.socket.destroySoon()
    })
  }

  readonly #onClientClose = (): void => {
    this.#end(() => this.#ends.attempts.connection?.destroy())
  }

  #leaveClient(): void {
    const { socket, attempts } = this.#ends
    attempts.connection?.destroy()
    socket.setTimeout(LINGER_MS, () => socket.destroy())
    socket.destroySoon()
  }

  #within(): void {
    this.deadline = this.#input.upstreams.clock() + this.#input.timeouts.idleMs
  }

  #end(closeSides: () => void, fault?: { readonly fault: UpstreamFault; readonly detail: string }): void {
    if (this.#ended) return
    this.#ended = true
    const { socket, attempts, firstByteMs, done } = this.#ends
    this.#input.upstreams.deadlines.unwatch(this)
    socket.off('data', this.#onClientData)
    socket.off('drain', this.#onClientDrain)
    socket.off('end', this.#onClientEnd)
    socket.off('close', this.#onClientClose)
    closeSides()
    attempts.release()
    const bytes = { bytesIn: this.#bytesIn, bytesOut: this.#bytesOut }
    if (fault === undefined) done({ kind: 'completed', status: 101, firstByteMs, ...bytes })
    else done({ kind: 'failed', ...fault, headSent: true, ...bytes })
  }
}

/** An upgrade under way or done. */
export interface Tunnel {
  /** Ends it at once, both ways; without effect after its outcome is known. */
  close(): void
}

/**
 * Sends a permitted upgrade (RFC 9110 §7.8) to its upstream and, once that switches protocols, carries bytes both ways until either side ends
 * or neither speaks for the idle limit. Any other answer goes to the client as it came, by `response`. Calls `done` exactly once, never before it
 * has returned: `completed` with status 101 is a tunnel that was opened. When no head was sent, nothing was written to `response`: the caller
 * answers.
 * @param input `headers` with `Upgrade` and `Connection`; `rewriteHead` keeps both for 101.
 * @param response On a socket that node has let go of; it ends the connection. @param early What node read beyond the request. @param onOpen It
 * has become a tunnel.
 */
export function tunnel(
  permit: Permit,
  input: ForwardInput,
  request: ClientRequest,
  response: ServerResponse,
  early: Buffer,
  onOpen: () => void,
  done: (outcome: ForwardOutcome) => void,
): Tunnel {
  const { socket } = request
  const state: { open: OpenTunnel | undefined } = { open: undefined }
  const exchange = new Exchange(permit, input, request, response, done, (answer, attempts, firstByteMs) => {
    response.detachSocket(socket)
    state.open = new OpenTunnel(input, { socket, attempts, firstByteMs, done })
    onOpen()
    state.open.start(answer, early)
  })
  exchange.start()
  return {
    close: () => {
      if (state.open === undefined) exchange.abort()
      else state.open.close()
    },
  }
}
