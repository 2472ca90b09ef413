import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { send } from './sample-server.ts'

/** Bytes that a sample server has, as it serves them. */
export interface StoredBytes {
  readonly bytes: Buffer
  readonly type: string
  /** With its quotes. */
  readonly etag: string
  /** Milliseconds since the epoch. */
  readonly modifiedMs: number
}

/** An uploaded page or drawing is shown, and runs nothing: `sandbox`. A browser's own player loads what it was opened with once more. */
const PLAYED = "media-src 'self'"

export function storedBytes(bytes: Buffer, type: string, modifiedMs: number): StoredBytes {
  return { bytes, type, modifiedMs, etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 20)}"` }
}

/** Answers with stored bytes: whole, one range of them (RFC 9110 §14), or 304. Several ranges get the whole. */
export function sendStored(request: IncomingMessage, response: ServerResponse, stored: StoredBytes): void {
  const { bytes, type, etag } = stored
  const headers = {
    'content-type': type,
    'accept-ranges': 'bytes',
    'cache-control': 'private, no-cache',
    'content-security-policy': `${/^(?:audio|video)\//.test(type) ? PLAYED : 'sandbox'}; default-src 'none'; style-src 'unsafe-inline'`,
    'last-modified': new Date(stored.modifiedMs).toUTCString(),
    etag,
  }
  if (request.headers['if-none-match']?.includes(etag) === true) {
    response.writeHead(304, headers).end()
    return
  }
  const range = rangeOf(request, stored)
  if (range === undefined) send(response, 200, headers, bytes)
  else if (range === 'unsatisfiable')
    send(response, 416, { ...headers, 'content-range': `bytes */${bytes.length}` }, '')
  else {
    const [first, last] = range
    const content = { 'content-range': `bytes ${first}-${last}/${bytes.length}` }
    send(response, 206, { ...headers, ...content }, bytes.subarray(first, last + 1))
  }
}

function rangeOf(
  { method, headers }: IncomingMessage,
  { bytes, etag }: StoredBytes,
): readonly [number, number] | 'unsatisfiable' | undefined {
  if (method !== 'GET' || (headers['if-range'] !== undefined && headers['if-range'] !== etag)) return undefined
  const [, from, to] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(headers.range ?? '') ?? []
  if (from === undefined || to === undefined || (from === '' && to === '')) return undefined
  const first = from === '' ? Math.max(0, bytes.length - Number(to)) : Number(from)
  const last = from === '' || to === '' ? bytes.length - 1 : Math.min(Number(to), bytes.length - 1)
  if (from !== '' && to !== '' && Number(to) < Number(from)) return undefined
  return first >= bytes.length || (from === '' && to === '0') ? 'unsatisfiable' : [first, last]
}
