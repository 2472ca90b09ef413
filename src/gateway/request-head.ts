import type { IncomingMessage } from 'node:http'
import { TLSSocket } from 'node:tls'
import { FastPathRequest } from './fast-path/request.ts'
import type { UpstreamLines } from './forwarding.ts'
import type { Arrival } from './judge.ts'

/** What was worked out about field lines that came before on the same connection. Whoever reads a slot checks what it was made for. */
export class FieldsMemo {
  arrival: Arrival | undefined
  upstreamLines: UpstreamLines | undefined
}

/** What a request asks, before anybody has judged it. `explain` makes one from its arguments. */
export interface RequestHead {
  readonly method: string
  /** The request target as received. */
  readonly target: string
  readonly rawHeaders: readonly string[]
  /**
   * The token, where it was told from the fields already: they have one Authorization field, which is `Bearer <token>`, and the token is not in
   * `rawHeaders`. NOT judged to be of a token's grammar. Undefined: `rawHeaders` say it.
   */
  readonly bearer?: string | undefined
  /** Belongs to all requests of a connection that have the same `rawHeaders`. */
  readonly memo?: FieldsMemo
  /** `1.1`, say. */
  readonly httpVersion: string
  readonly peerAddress: string
  readonly tls: boolean
}

/** The request as node's parser left it. A peer that is gone already has the address ''. */
export function requestHeadOf(request: IncomingMessage): RequestHead {
  if (request instanceof FastPathRequest) return fastPathHead(request)
  return {
    method: request.method ?? '',
    target: request.url ?? '',
    rawHeaders: request.rawHeaders,
    httpVersion: request.httpVersion,
    peerAddress: request.socket.remoteAddress ?? '',
    tls: request.socket instanceof TLSSocket,
  }
}

function fastPathHead({ method, url, rawHeaders, bearer, fieldsMemo, socket }: FastPathRequest): RequestHead {
  const { arrival } = fieldsMemo
  return {
    method,
    target: url,
    rawHeaders,
    bearer,
    memo: fieldsMemo,
    httpVersion: '1.1',
    peerAddress: arrival === undefined ? (socket.remoteAddress ?? '') : arrival.peerAddress,
    tls: arrival === undefined ? socket instanceof TLSSocket : arrival.tls,
  }
}

/** Whether a body follows the head. */
export function hasBody(request: IncomingMessage): boolean {
  const length = request.headers['content-length']
  return request.headers['transfer-encoding'] !== undefined || (length !== undefined && Number(length) > 0)
}
