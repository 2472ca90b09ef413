import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'

/** For a client that doesn't take its answer. */
const LINGER_MS = 5_000

/**
 * Answers on a socket that node's server has let go of (an upgrade that is refused, or failed) and closes it; what the client still sends is read
 * and forgotten meanwhile. Never throws and never reports an error.
 * @param headers Raw pairs, Content-Length included; `Connection: close` is added.
 * @param body latin1.
 */
export function writeRawAnswer(socket: Socket, status: number, headers: readonly string[], body: string): void {
  socket.on('error', () => {})
  if (socket.destroyed || !socket.writable) {
    socket.destroy()
    return
  }
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`
  for (let i = 0; i + 1 < headers.length; i += 2) head += `${headers[i]}: ${headers[i + 1]}\r\n`
  socket.setTimeout(LINGER_MS, () => socket.destroy())
  socket.resume()
  socket.end(`${head}Connection: close\r\n\r\n${body}`, 'latin1', () => socket.destroySoon())
}
