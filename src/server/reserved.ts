import { isWithin, METADATA_PATH } from '../core/router.ts'
import type { ReservedRequest } from '../gateway/call.ts'
import type { Recorder } from '../gateway/request-log.ts'
import type { Outcome } from '../observe/metrics.ts'
import { FEED_PATH, type Feed } from './feed/feed.ts'
import type { IssuerMount } from './issuer-mount.ts'

export interface ReservedOptions {
  readonly recorder: Recorder
  /** Answers resource metadata and the admin's pages. */
  readonly site: (reserved: ReservedRequest) => void
  readonly issuer: IssuerMount
  /** Undefined where this process holds no store. */
  readonly feed: Feed | undefined
}

// Nobody takes longer over a form; a body or a reader that stops for so long is cut.
const IDLE_MS = 300_000

/** Sends requests for reserved paths to who answers them, and ends their record with the answer. */
export function createReserved(options: ReservedOptions): (reserved: ReservedRequest) => void {
  const { recorder, site, issuer, feed } = options
  return (reserved) => {
    const { request, response, record, routing } = reserved
    const [path = '/'] = routing.target.readings
    request.socket.setTimeout(IDLE_MS)
    response.setHeader('X-Request-Id', record.id)
    response.once('close', () => {
      record.status ??= response.statusCode
      recorder.end(record, { ...endingOf(response.writableFinished, record.status), bytesIn: 0, bytesOut: 0 })
    })
    if (isWithin(METADATA_PATH, path)) record.place = '(metadata)'
    switch (answererOf(path, feed)) {
      case 'site':
        return site(reserved)
      case 'feed':
        return feed?.handle(request, response)
      case 'issuer':
        return issuer.handle(reserved)
    }
  }
}

/** Whose a reserved path is. */
export function answererOf(path: string, feed: Feed | undefined): 'site' | 'feed' | 'issuer' {
  if (isWithin(METADATA_PATH, path) || isWithin('/admin', path)) return 'site'
  return path === FEED_PATH && feed !== undefined ? 'feed' : 'issuer'
}

function endingOf(finished: boolean, status: number): { readonly outcome: Outcome; readonly reason: undefined } {
  const reason = undefined
  if (!finished) return { outcome: 'client_closed', reason }
  if (status >= 500) return { outcome: 'failed', reason }
  return { outcome: status >= 400 ? 'refused' : 'ok', reason }
}
