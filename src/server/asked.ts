import type { IncomingMessage } from 'node:http'
import { TLSSocket } from 'node:tls'

/** What a request asks, before anybody has judged it. `explain` makes one from its arguments. */
export interface Asked {
  readonly method: string
  /** The request target as received. */
  readonly target: string
  readonly rawHeaders: readonly string[]
  /** `1.1`, say. */
  readonly httpVersion: string
  readonly peerAddress: string
  readonly tls: boolean
}

/** The request as node's parser left it. A peer that is gone already has the address ''. */
export function askedBy(request: IncomingMessage): Asked {
  return {
    method: request.method ?? '',
    target: request.url ?? '',
    rawHeaders: request.rawHeaders,
    httpVersion: request.httpVersion,
    peerAddress: request.socket.remoteAddress ?? '',
    tls: request.socket instanceof TLSSocket,
  }
}

/** Whether a body follows the head. */
export function hasBody(request: IncomingMessage): boolean {
  const length = request.headers['content-length']
  return request.headers['transfer-encoding'] !== undefined || (length !== undefined && Number(length) > 0)
}
