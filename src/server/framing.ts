import type { Asked } from './asked.ts'

export interface Framing {
  /** '' when there is none. */
  readonly hostHeader: string
  /** Why the head is no request that a proxy may pass on; undefined: it may. */
  readonly fault: string | undefined
}

/**
 * What node's strict parser lets through although a proxy has to refuse it: HTTP versions other than 1.0 and 1.1, a missing or
 * doubled Host (RFC 9112 §3.2), and Transfer-Encoding other than `chunked` or in HTTP/1.0 (§6.1), which two readers frame differently.
 */
export function readFraming({ rawHeaders, httpVersion }: Asked): Framing {
  let host: string | undefined
  let fault: string | undefined
  if (httpVersion !== '1.1' && httpVersion !== '1.0') fault = 'the HTTP version must be 1.1 or 1.0'
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? ''
    if (name.length === 4 && name.toLowerCase() === 'host') {
      if (host !== undefined) fault ??= 'there is more than one Host field'
      host ??= rawHeaders[i + 1] ?? ''
    } else if (name.length === 17 && name.toLowerCase() === 'transfer-encoding') {
      fault ??= encodingFault(rawHeaders[i + 1] ?? '', httpVersion)
    }
  }
  if (host === undefined) fault ??= 'the Host field is missing'
  return { hostHeader: host ?? '', fault }
}

function encodingFault(value: string, httpVersion: string): string | undefined {
  if (httpVersion === '1.0') return 'HTTP/1.0 has no Transfer-Encoding'
  return value.toLowerCase() === 'chunked' ? undefined : 'the Transfer-Encoding must be chunked and nothing else'
}
