import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** What a client may send ahead of its answers: so many requests, whose heads have so many characters in all. */
const MAX_AHEAD = 500
const MAX_AHEAD_CHARACTERS = 65_536
/** Beside what has come in one segment with a head. */
const MAX_HELD_BYTES = 65_536
/** How long a body may stand still behind an earlier answer. */
interface StillBodyLimits {
  /** How often it is looked; where no more of it is read, nobody would see its client leave. */
  readonly checkMs: number
  /** Without a byte more from the client; the same as for a body that is being read. */
  readonly idleMs: number
}

const STILL_BODY: StillBodyLimits = { checkMs: 5_000, idleMs: 300_000 }

/** An answer that will be closed. */
interface Closing {
  once(event: 'close', listener: () => void): unknown
}

interface Ahead {
  requests: number
  characters: number
}

/**
 * Requests that clients have sent ahead of earlier answers (RFC 9112 §9.3.2). One at a time is under way on a connection, and none is looked at
 * before its turn: what allowed it may have ended by then. Who sends further ahead than is allowed is cut off, for a connection that is merely
 * paused can't be seen to end.
 */
export class Turns {
  readonly #waiting = new WeakMap<Socket, Ahead>()
  readonly #stillBody: StillBodyLimits

  constructor(stillBody: StillBodyLimits = STILL_BODY) {
    this.#stillBody = stillBody
  }

  /** Calls back when the request's turn has come: at once when nothing is under way before it, never when the connection ends first. */
  await(request: IncomingMessage, response: ServerResponse, onTurn: () => void): void {
    const { socket } = request
    if (response.socket === socket) onTurn()
    else this.#enqueue(request, response, onTurn)
  }

  /**
   * Keeps bytes of a socket that nobody reads, and what comes behind them, until `before` is closed; then calls back with all of them, never
   * when the connection ends first. The connection ends when more comes than may wait, unless its turn comes soon.
   */
  hold(socket: Socket, bytes: Buffer, before: Closing, onTurn: (held: Buffer) => void): void {
    const held = [bytes]
    const ahead = { left: MAX_HELD_BYTES }
    const take = (chunk: Buffer): void => {
      held.push(chunk)
      ahead.left -= chunk.length
      if (ahead.left <= 0) socket.pause()
    }
    const leave = (): void => void socket.destroy()
    const timer = setInterval(() => ahead.left <= 0 && leave(), this.#stillBody.checkMs)
    timer.unref()
    const stop = (): void => clearInterval(timer)
    socket.on('data', take).once('end', leave).on('error', leave).once('close', stop)
    before.once('close', () => {
      stop()
      socket.off('data', take).off('end', leave).off('close', stop)
      if (!socket.writable) return
      socket.off('error', leave)
      // The answer before has left the limit of an idle connection.
      socket.setTimeout(0)
      onTurn(Buffer.concat(held))
      socket.resume()
    })
  }

  #enqueue(request: IncomingMessage, response: ServerResponse, onTurn: () => void): void {
    const { socket } = request
    const ahead = this.#waiting.get(socket) ?? { requests: 0, characters: 0 }
    this.#waiting.set(socket, ahead)
    const characters = headLength(request)
    ahead.requests += 1
    ahead.characters += characters
    if (ahead.requests > MAX_AHEAD || ahead.characters > MAX_AHEAD_CHARACTERS) {
      socket.destroy()
      return
    }
    const stopWatching = cutStillBody(request, this.#stillBody)
    response.once('socket', () => {
      stopWatching()
      ahead.requests -= 1
      ahead.characters -= characters
      onTurn()
    })
  }
}

function headLength({ url = '', rawHeaders }: IncomingMessage): number {
  let length = url.length
  for (const text of rawHeaders) length += text.length
  return length
}

function cutStillBody(request: IncomingMessage, { checkMs, idleMs }: StillBodyLimits): () => void {
  const seen = { length: -1, at: 0 }
  const timer = setInterval(() => {
    const { readableLength: length } = request
    const now = performance.now()
    if (length !== seen.length) Object.assign(seen, { length, at: now })
    if (request.complete || request.socket.destroyed) clearInterval(timer)
    else if (length >= request.readableHighWaterMark || now - seen.at >= idleMs) request.socket.destroy()
  }, checkMs)
  timer.unref()
  return () => clearInterval(timer)
}
