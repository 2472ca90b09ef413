import type { IncomingMessage, ServerResponse } from 'node:http'
import type { RequestHead } from './request-head.ts'

/** One request as its reader hands it on when its turn has come: what it asks, where its body is read and its answer written. */
export interface Incoming {
  readonly head: RequestHead
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** The client sends its body only after `100 Continue` (RFC 9110 §10.1.1). */
  readonly awaitsContinue: boolean
  /** It may leave HTTP for a tunnel: the protocol that it asks for, and what came beyond the head. Node has let go of its socket. */
  readonly upgrade: { readonly protocol: string; readonly early: Buffer } | undefined
}

/** Whether a body follows the head. */
export function hasBody(request: IncomingMessage): boolean {
  const length = request.headers['content-length']
  return request.headers['transfer-encoding'] !== undefined || (length !== undefined && Number(length) > 0)
}
