import { type Denial, denial } from '../core/denial.ts'
import { readRequestFraming } from '../core/headers/framing.ts'
import type { RequestHead } from './request-head.ts'

/** Bytes of request line and headers together, number of fields, bytes of a path; more than that: 431. */
export const MAX_HEADER_BYTES = 32_768
const MAX_HEADER_FIELDS = 100
const MAX_PATH_BYTES = 8_192

export const HEADERS_TOO_LARGE = denial(
  'headers_too_large',
  'request line and headers may have 32 KiB and 100 fields together',
)
const PATH_TOO_LONG = denial('headers_too_large', 'a path may have 8 KiB')

// `: ` and a line end go with each field, two spaces, `HTTP/1.1` and a line end with the request line.
const FIELD_BYTES = 4
const LINE_BYTES = 12

/** Why a head is larger than is read; undefined: it isn't. We count, for runtimes have dropped fields beyond their limit without a word. */
export function sizeFault({ method, target, rawHeaders }: RequestHead): Denial | undefined {
  if (rawHeaders.length > 2 * MAX_HEADER_FIELDS) return HEADERS_TOO_LARGE
  let bytes = method.length + target.length + LINE_BYTES + (rawHeaders.length / 2) * FIELD_BYTES
  for (const text of rawHeaders) bytes += text.length
  return bytes > MAX_HEADER_BYTES ? HEADERS_TOO_LARGE : undefined
}

/** Why a target's path is longer than is read; its query counts as headers only. */
export function pathFault(target: string): Denial | undefined {
  if (target.length <= MAX_PATH_BYTES) return undefined
  const cut = target.indexOf('?')
  return cut === -1 || cut > MAX_PATH_BYTES ? PATH_TOO_LONG : undefined
}

/** A target in absolute-form whose authority is that of the Host field, in origin-form (RFC 9112 §3.2.2); others as they came. */
export function originForm(target: string, hostHeader: string): string {
  if (target.startsWith('/')) return target
  const [, authority, rest = ''] = /^https?:\/\/([^/?#]*)(.*)$/i.exec(target) ?? []
  if (authority === undefined || authority.toLowerCase() !== hostHeader.toLowerCase()) return target
  return rest.startsWith('/') ? rest : `/${rest}`
}

interface Framing {
  /** '' when there is none. */
  readonly hostHeader: string
  /** Why the head is no request that a proxy may pass on; undefined: it may. */
  readonly fault: string | undefined
}

/**
 * What node's strict parser lets through although a proxy has to refuse it: HTTP versions other than 1.0 and 1.1, a missing or
 * doubled Host (RFC 9112 §3.2), and framing that two readers could understand differently, see `readRequestFraming`.
 */
export function readFraming({ rawHeaders, httpVersion }: RequestHead): Framing {
  let host: string | undefined
  let fault: string | undefined
  if (httpVersion !== '1.1' && httpVersion !== '1.0') fault = 'the HTTP version must be 1.1 or 1.0'
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.length !== 4 || rawHeaders[i]?.toLowerCase() !== 'host') continue
    if (host !== undefined) fault ??= 'there is more than one Host field'
    host ??= rawHeaders[i + 1] ?? ''
  }
  const framing = readRequestFraming(rawHeaders, httpVersion)
  if (typeof framing === 'object') fault ??= framing.fault
  if (host === undefined) fault ??= 'the Host field is missing'
  return { hostHeader: host ?? '', fault }
}
