/** Why node's parser, or the clock, ended a request before it was one. */
export type ClientFault =
  | 'malformed'
  | 'headers_too_large'
  | 'headers_timeout'
  | 'connect'
  /** The client is gone; nobody is there to answer. */
  | 'gone'

const BY_CODE: Readonly<Record<string, ClientFault>> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'headers_timeout',
  ECONNRESET: 'gone',
  EPIPE: 'gone',
  ETIMEDOUT: 'gone',
  // The client closed in the middle of a request.
  HPE_INVALID_EOF_STATE: 'gone',
}

/** The fault behind a `clientError` of node's HTTP server; what isn't known is a malformed request. */
export function clientFault(error: NodeJS.ErrnoException): ClientFault {
  return BY_CODE[error.code ?? ''] ?? 'malformed'
}
