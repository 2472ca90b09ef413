import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Requests that a client may send ahead of its answers before it is read no further. */
const MAX_AHEAD = 8

/** A request whose answer can't begin yet. One of the two is called, once. */
export interface Waiting {
  onTurn(): void
  /** The connection has ended first. */
  onGone(): void
}

const queues = new WeakMap<Socket, Set<Waiting>>()

/** Whether earlier answers on the connection have yet to be finished (RFC 9112 §9.3.2). */
export function mustWait(request: IncomingMessage, response: ServerResponse): boolean {
  return response.socket !== request.socket
}

/**
 * Waits until an answer's turn has come on its connection. One connection has one request under way at a time, and who sends on and on
 * is not read on: otherwise one client could have as many upstream connections, and as much memory, as it cares to ask for.
 */
export function awaitTurn(request: IncomingMessage, response: ServerResponse, waiting: Waiting): void {
  const { socket } = request
  const queue = queues.get(socket) ?? openQueue(socket)
  queue.add(waiting)
  if (queue.size > MAX_AHEAD) socket.pause()
  response.once('socket', () => {
    if (!queue.delete(waiting)) return
    if (queue.size === MAX_AHEAD) socket.resume()
    waiting.onTurn()
  })
}

function openQueue(socket: Socket): Set<Waiting> {
  const queue = new Set<Waiting>()
  queues.set(socket, queue)
  // Node reads on after every request that is whole, paused or not.
  socket.on('resume', () => {
    if (queue.size > MAX_AHEAD) socket.pause()
  })
  // An answer that waits hears nothing of its connection.
  socket.on('close', () => {
    const gone = [...queue]
    queue.clear()
    for (const waiting of gone) waiting.onGone()
  })
  return queue
}
