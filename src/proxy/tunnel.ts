import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Permit } from '../core/permit.ts'
import type { ForwardInput } from './forward.ts'
import { ForwardedExchange } from './forwarded-exchange.ts'
import { OpenTunnel } from './open-tunnel.ts'
import type { ForwardOutcome } from './outcome.ts'

/** An upgrade under way or done. */
export interface Tunnel {
  /** Ends it at once, both ways; without effect after its outcome is known. */
  close(): void
}

/**
 * Sends a permitted upgrade (RFC 9110 §7.8) to its upstream and, once that switches protocols, carries bytes both ways until either side ends
 * or neither speaks for the idle limit. Any other answer goes to the client as it came, and the connection closes. Calls `done` exactly
 * once, never before it has returned: `completed` with status 101 is a tunnel that was opened. When no head was sent, `socket` is the
 * caller's again, to answer on.
 * @param input `headers` with `Upgrade` and `Connection`; `rewriteHead` keeps both for 101.
 * @param head What node read beyond the request.
 */
export function tunnel(
  _permit: Permit,
  input: ForwardInput,
  request: IncomingMessage,
  socket: Socket,
  head: Buffer,
  done: (outcome: ForwardOutcome) => void,
): Tunnel {
  // Node has let go of the socket: an error that nobody hears would end the process.
  socket.on('error', ignore)
  const response = new ServerResponse(request)
  response.shouldKeepAlive = false
  response.assignSocket(socket)
  response.on('finish', () => {
    response.detachSocket(socket)
    response.emit('close')
    socket.destroySoon()
  })
  const state: { open: OpenTunnel | undefined } = { open: undefined }
  const settled = (outcome: ForwardOutcome): void => {
    if (response.socket !== null) response.detachSocket(socket)
    done(outcome)
  }
  const exchange = new ForwardedExchange(input, request, response, settled, (answer, attempts, firstByteMs) => {
    response.detachSocket(socket)
    state.open = new OpenTunnel(input, { socket, attempts, firstByteMs, done })
    state.open.start(answer, head)
  })
  exchange.start()
  return {
    close: () => {
      if (state.open === undefined) exchange.abort()
      else state.open.close()
    },
  }
}

function ignore(): void {}
