/** How a request's body is framed: not at all, by a length in bytes (0 was said, too), or by chunks. */
export type RequestFraming = 'none' | 'chunked' | number

export interface FramingFault {
  readonly fault: string
}

/** One number has one spelling here: who reads `0062`, `+62` or 2^53 otherwise finds another end of the body, and a request behind it. */
const LENGTH = /^(?:0|[1-9][0-9]{0,14})$/

/**
 * The framing that a client chose (RFC 9112 §6.3), or why two readers could frame the request differently: a Content-Length that isn't spelled as
 * its number is, more than one field of either kind, both, and Transfer-Encoding other than `chunked` or in HTTP/1.0.
 * @param rawHeaders Names and values in turn, white space around values off. @param httpVersion `1.1`, say.
 */
export function readRequestFraming(rawHeaders: readonly string[], httpVersion: string): RequestFraming | FramingFault {
  let length: string | undefined
  let coding: string | undefined
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? ''
    if (name.length === 14 && name.toLowerCase() === 'content-length') {
      if (length !== undefined) return { fault: 'there is more than one Content-Length field' }
      length = rawHeaders[i + 1] ?? ''
    } else if (name.length === 17 && name.toLowerCase() === 'transfer-encoding') {
      if (coding !== undefined) return { fault: 'there is more than one Transfer-Encoding field' }
      coding = rawHeaders[i + 1] ?? ''
    }
  }
  if (coding !== undefined) return chunkedFraming(coding, length, httpVersion)
  if (length === undefined) return 'none'
  return LENGTH.test(length)
    ? Number(length)
    : { fault: 'the Content-Length must be 0 or up to 15 digits without leading zero' }
}

function chunkedFraming(coding: string, length: string | undefined, httpVersion: string): 'chunked' | FramingFault {
  if (length !== undefined) return { fault: 'Transfer-Encoding and Content-Length exclude each other' }
  if (httpVersion === '1.0') return { fault: 'HTTP/1.0 has no Transfer-Encoding' }
  return coding.toLowerCase() === 'chunked'
    ? 'chunked'
    : { fault: 'the Transfer-Encoding must be chunked and nothing else' }
}
