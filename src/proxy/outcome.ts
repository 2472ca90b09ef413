/** What was wrong with the upstream; `detail` beside it says more, for the log. */
export type UpstreamFault =
  /** No connection: refused, unreachable, unknown host, TLS not verified. */
  | 'refused'
  /** The connection broke before the answer was whole. */
  | 'reset'
  /** What it sent is no HTTP/1.1 answer (RFC 9112), or one that can't be framed for sure. */
  | 'protocol'
  /** `detail` begins with `connect`, `headers` or `idle`. */
  | 'timeout'

interface Bytes {
  /** Of the request's body, as taken from the client, without framing. */
  readonly bytesIn: number
  /** Of the answer's body, as given to the client, without framing. */
  readonly bytesOut: number
}

/** What permitted a request ended before it was sent whole; no head was sent. `unsent`: it is whole, and may go on where it is permitted anew. */
export type Overtaken = { readonly kind: 'overtaken'; readonly unsent: boolean } & Bytes

/** How a request that was let through ended. `headSent`: the client has a status already, so no other can be given. */
export type ForwardOutcome =
  /** `firstByteMs`: from the call to the head of the answer. */
  | ({ readonly kind: 'completed'; readonly status: number; readonly firstByteMs: number } & Bytes)
  | ({
      readonly kind: 'failed'
      readonly fault: UpstreamFault
      readonly detail: string
      readonly headSent: boolean
    } & Bytes)
  /** The client left, or stood still for longer than the idle limit. `status` undefined: no head was sent. */
  | ({ readonly kind: 'client_closed'; readonly status: number | undefined; readonly detail: string } & Bytes)
  | ({ readonly kind: 'body_too_large'; readonly headSent: boolean } & Bytes)
  | Overtaken

/** Ends the request at once, both ways; without effect after its outcome is known. The outcome is `client_closed`. */
export type Abort = () => void
