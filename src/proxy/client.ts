import type { Socket } from 'node:net'

/** A client's request, as its reader gives it: the members of `http.IncomingMessage` that the proxy uses. */
export interface ClientRequest {
  /** Names and values in turn, as received. */
  readonly rawHeaders: readonly string[]
  /** `1.1` or `1.0`. */
  readonly httpVersion: string
  readonly httpVersionMinor: number
  readonly socket: Socket
  /** The body has come whole. */
  readonly complete: boolean
  on(event: 'data', listener: (chunk: Buffer) => void): unknown
  on(event: 'end', listener: () => void): unknown
  off(event: 'data', listener: (chunk: Buffer) => void): unknown
  off(event: 'end', listener: () => void): unknown
  pause(): unknown
  resume(): unknown
}

/** The answer to a client: the members of `http.ServerResponse` that the proxy uses. */
export interface ClientResponse extends Partial<TextResponse> {
  readonly req: Pick<ClientRequest, 'socket' | 'httpVersionMinor'>
  /** Null while its turn has not come, and when its connection has gone. */
  readonly socket: Socket | null
  readonly headersSent: boolean
  readonly destroyed: boolean
  /** The system has taken all of it. */
  readonly writableFinished: boolean
  /** Bytes that wait to be taken. */
  readonly writableLength: number
  /** False: the head has a Date of its own. */
  sendDate: boolean
  /** Throws for fields that are not of the grammar. @param headers Raw pairs. */
  writeHead(status: number, reason: string, headers: string[]): unknown
  flushHeaders(): void
  /** False: wait for `drain`. */
  write(chunk: Uint8Array): boolean
  end(): unknown
  end(chunk: Uint8Array): unknown
  addTrailers(trailers: readonly [string, string][]): void
  destroy(): unknown
  on(event: 'close' | 'drain', listener: () => void): unknown
  off(event: 'close' | 'drain', listener: () => void): unknown
}

/** A response that takes a whole head as text. */
export interface TextResponse {
  /**
   * As `writeHead`; the lines stand as they are.
   * @param lines Without `Connection` and `Transfer-Encoding`; a CRLF after each.
   * @param measured There is a Content-Length among them. @param dated There is a Date.
   */
  writeLines(status: number, reason: string, lines: string, measured: boolean, dated: boolean): void
  /** As `end`. @param view Bytes that hold good during the call only. */
  endWith(view: Uint8Array): void
}
