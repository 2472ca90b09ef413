import { ServerResponse } from 'node:http'
import { BROWSER_PATH, isWithin, METADATA_PATH } from '../core/paths/router.ts'
import { type Bytes, type OwnRequest, type ReservedRequest, readByNode } from '../gateway/call.ts'
import type { Recorder } from '../gateway/request-log.ts'
import type { Outcome } from '../observe/metrics.ts'
import { BACK_CHANNEL_PATH } from './feed/back-channel.ts'
import { FEED_PATH, type Feed } from './feed/feed.ts'
import type { IssuerMount } from './issuer-mount.ts'

interface ReservedOptions {
  readonly recorder: Recorder
  /** Answers resource metadata, and what nobody else answers. */
  readonly site: (reserved: ReservedRequest) => void
  /** Answers what browsers need of the gateway itself. */
  readonly browser: (own: OwnRequest) => void
  readonly issuer: IssuerMount
  /** Answers what was permitted of the operator's API; undefined: the issuer answers it, which judges for itself. */
  readonly admin: ((reserved: ReservedRequest) => void) | undefined
  /** Answers the operator's pages; undefined: the issuer does. */
  readonly pages: ((reserved: ReservedRequest) => void) | undefined
  /** Undefined where this process holds no store. */
  readonly feed: Feed | undefined
}

// Nobody takes longer over a form; a body or a reader that stops for so long is cut.
const IDLE_MS = 300_000

/** Sends requests for reserved paths to who answers them, and ends their record with the answer. */
export function createReserved(options: ReservedOptions): (own: OwnRequest) => void {
  const { recorder, site, browser, issuer, feed, admin, pages = (reserved) => issuer.handle(reserved) } = options
  return (own) => {
    const { request, response, record, routing } = own
    const [path = '/'] = routing.target.readings
    request.socket.setTimeout(IDLE_MS)
    response.setHeader('X-Request-Id', record.id)
    response.once('close', () => {
      record.status ??= response.statusCode
      const ending = endingOf(response.writableFinished, record.status)
      recorder.end(record, { ...ending, reason: record.reason, ...bytesOf(own) })
    })
    if (isWithin(METADATA_PATH, path)) record.place = '(metadata)'
    const answerer = answererOf(path, feed)
    if (answerer === 'browser') return browser(own)
    const reserved = readByNode(own)
    // Only what was permitted has a token.
    if (reserved.token !== undefined && admin !== undefined) return admin(reserved)
    switch (answerer) {
      case 'site':
        return site(reserved)
      case 'api':
        return admin === undefined ? issuer.handle(reserved) : site(reserved)
      case 'pages':
        return pages(reserved)
      case 'feed':
        return feed?.handle(reserved.request, reserved.response)
      case 'issuer':
        return issuer.handle(reserved)
    }
  }
}

type Answerer = 'site' | 'api' | 'pages' | 'browser' | 'feed' | 'issuer'

/** Whose a reserved path is. */
export function answererOf(path: string, feed: Feed | undefined): Answerer {
  if (isWithin(METADATA_PATH, path)) return 'site'
  if (isWithin('/admin', path)) return isWithin('/admin/api', path) ? 'api' : 'pages'
  if (isWithin(BROWSER_PATH, path)) return 'browser'
  return (path === FEED_PATH || path === BACK_CHANNEL_PATH) && feed !== undefined ? 'feed' : 'issuer'
}

/** Body bytes of what came and went whole, by their lengths as said; what streams says none. */
function bytesOf({ request, response }: OwnRequest): Bytes {
  const sent = response instanceof ServerResponse && response.writableFinished && hasBody(request.method, response)
  return {
    bytesIn: request.complete ? lengthOf(request.headers['content-length']) : 0,
    bytesOut: sent ? lengthOf(response.getHeader('content-length')) : 0,
  }
}

/** RFC 9110 §6.4.1: these have none, whatever length they say. */
function hasBody(method: string | undefined, { statusCode }: ServerResponse): boolean {
  return method !== 'HEAD' && statusCode !== 204 && statusCode !== 304
}

function lengthOf(said: unknown): number {
  const length = Number(said ?? 0)
  return Number.isSafeInteger(length) ? length : 0
}

function endingOf(finished: boolean, status: number): { readonly outcome: Outcome } {
  if (!finished) return { outcome: 'client_closed' }
  if (status >= 500) return { outcome: 'failed' }
  return { outcome: status >= 400 ? 'refused' : 'ok' }
}
