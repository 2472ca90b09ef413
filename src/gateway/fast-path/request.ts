import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { ClientRequest } from '../../proxy/client.ts'
import type { RequestHead } from '../request-head.ts'
import type { PlainHead } from './head.ts'

/**
 * A request without a body, in the shape that the data path reads of `http.IncomingMessage`. It has come whole, so there is
 * nothing to stream: no `data` event is ever emitted.
 */
export class FastPathRequest extends EventEmitter implements ClientRequest {
  readonly method: string
  url: string
  /** A dash stands in place of the token that the head names. */
  readonly rawHeaders: readonly string[]
  readonly head: RequestHead
  readonly socket: Socket
  readonly httpVersion = '1.1'
  readonly httpVersionMajor = 1
  readonly httpVersionMinor = 1
  readonly complete = true
  readonly readableEnded = true
  readonly rawTrailers: readonly string[] = []
  #headers: Record<string, string> | undefined

  constructor(head: PlainHead, socket: Socket) {
    super()
    this.method = head.method
    this.url = head.url
    this.rawHeaders = head.fields.rawHeaders
    this.head = requestHead(head, socket)
    this.socket = socket
  }

  /** Lower-case names; of several fields the values are joined, as lists are. */
  get headers(): Readonly<Record<string, string>> {
    this.#headers ??= merged(this.rawHeaders)
    return this.#headers
  }

  resume(): this {
    return this
  }

  pause(): this {
    return this
  }

  destroy(): this {
    this.socket.destroy()
    return this
  }
}

function merged(raw: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = Object.create(null)
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = (raw[i] ?? '').toLowerCase()
    const earlier = headers[name]
    headers[name] = earlier === undefined ? (raw[i + 1] ?? '') : `${earlier}, ${raw[i + 1] ?? ''}`
  }
  return headers
}

function requestHead({ method, url, fields, bearer }: PlainHead, socket: Socket): RequestHead {
  const { memo, rawHeaders } = fields
  const { peer } = memo
  const peerAddress = peer === undefined ? (socket.remoteAddress ?? '') : peer.peerAddress
  const tls = peer === undefined ? socket instanceof TLSSocket : peer.tls
  return { method, target: url, rawHeaders, bearer, memo, httpVersion: '1.1', peerAddress, tls }
}
