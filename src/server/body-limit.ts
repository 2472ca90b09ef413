import type { IncomingMessage } from 'node:http'
import { type Denial, denial } from '../core/denial.ts'

/** Whether the request announces a body over `maxBody` bytes. One that announces none is counted as it comes, by the forwarder. */
export function announcesTooMuch(request: IncomingMessage, maxBody: number | undefined): boolean {
  return maxBody !== undefined && Number(request.headers['content-length'] ?? 0) > maxBody
}

/** 413 that names the limit, so that whoever sends can tell whose it is. */
export function bodyTooLarge(maxBody: number | undefined): Denial {
  return denial('body_too_large', `this route takes bodies of at most ${maxBody ?? 0} bytes (max_body)`)
}
