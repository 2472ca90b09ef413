import { createHash, randomUUID, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Store } from '../../store/store.ts'

/** Where gateways on their own follow what is revoked. */
export const FEED_PATH = '/oauth/revocations'

/** Seconds between signs of life; a follower takes three missed ones for silence. */
export const HEARTBEAT_SECONDS = 5

/** A follower that reads this much too slowly is cut off; it catches up when it comes back. */
const MAX_UNSENT_BYTES = 1_048_576

export interface FeedOptions {
  readonly store: Store
  /** AUDGATE_FEED_TOKEN; undefined: there is no feed. */
  readonly feedToken: string | undefined
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly heartbeatMs?: number
}

/** The revocation feed of the process that holds the issuer: server-sent events, without secrets. */
export interface Feed {
  /**
   * Answers a request to {@link FEED_PATH}: 404 when there is no feed, 401 without the feed token, 405 for other methods than
   * GET, else a stream that begins with everything in force above `Last-Event-ID`.
   */
  handle(request: IncomingMessage, response: ServerResponse): void
  /** Tells followers to fetch the issuer's keys anew. */
  keysChanged(): void
  /** Open streams. */
  readonly followers: number
  close(): void
}

/**
 * Streams revocations to gateways on their own. An entry is named by its id, in the order of the acts, so a follower that was
 * cut off names the last one that it has and misses nothing. `epoch` names the store: after a store was replaced ids mean
 * other entries, and the follower starts afresh.
 */
export function createFeed(options: FeedOptions): Feed {
  const streams = new Set<Stream>()
  const unsubscribe = options.store.subscribe(() => {
    for (const stream of streams) stream.wake()
  })
  const heartbeat = setInterval(
    () => {
      for (const stream of streams) stream.send('heartbeat', undefined, {})
    },
    options.heartbeatMs ?? HEARTBEAT_SECONDS * 1_000,
  )
  heartbeat.unref()
  const open = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const epoch = await options.store.valueOr('feed_epoch', randomUUID())
    const [knownEpoch, knownId] = (headerOf(request, 'last-event-id') ?? '').split(':')
    response.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    })
    const stream = createStream(response, options, epoch, knownEpoch === epoch ? Number(knownId) || 0 : 0)
    streams.add(stream)
    response.once('close', () => streams.delete(stream))
    stream.send('hello', undefined, { epoch })
    stream.wake()
  }
  return {
    handle: (request, response) => {
      const refusal = refuse(request, options.feedToken)
      if (refusal !== undefined) return answer(response, refusal)
      open(request, response).catch(() => response.destroy())
    },
    keysChanged: () => {
      for (const stream of streams) stream.send('keys', undefined, {})
    },
    get followers() {
      return streams.size
    },
    close: () => {
      unsubscribe()
      clearInterval(heartbeat)
      for (const stream of streams) stream.end()
      streams.clear()
    },
  }
}

interface Stream {
  /** Sends every entry that the follower has not got; calls while one is under way are joined. */
  wake(): void
  send(event: string, id: string | undefined, data: unknown): void
  end(): void
}

function createStream(response: ServerResponse, options: FeedOptions, epoch: string, afterId: number): Stream {
  let lastId = afterId
  let sending = false
  let again = false
  const send = (event: string, id: string | undefined, data: unknown): void => {
    if (response.writableLength > MAX_UNSENT_BYTES) {
      response.destroy()
      return
    }
    response.write(`${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
  }
  const drain = async (): Promise<void> => {
    do {
      again = false
      for (const entry of await options.store.revocations(lastId, Math.floor(options.now() / 1_000))) {
        send('revocation', `${epoch}:${entry.id}`, entry)
        lastId = entry.id
      }
      // From here on the follower lacks nothing that was in force when it asked.
      send('current', undefined, {})
    } while (again)
  }
  return {
    wake: () => {
      again = true
      if (sending) return
      sending = true
      drain()
        .catch(() => response.destroy())
        .finally(() => {
          sending = false
        })
    },
    send,
    end: () => response.end(),
  }
}

function refuse(
  request: IncomingMessage,
  feedToken: string | undefined,
): { status: number; detail: string } | undefined {
  if (feedToken === undefined) return { status: 404, detail: 'no feed: AUDGATE_FEED_TOKEN is not set at the issuer' }
  if (request.method !== 'GET') return { status: 405, detail: 'GET only' }
  const token = /^Bearer +(\S+)$/i.exec(headerOf(request, 'authorization') ?? '')?.[1]
  if (token === undefined || !sameSecret(token, feedToken))
    return { status: 401, detail: 'the feed token is missing or wrong' }
  return undefined
}

function answer(response: ServerResponse, { status, detail }: { status: number; detail: string }): void {
  const body = JSON.stringify({ type: 'about:blank', status, detail })
  response.writeHead(status, {
    'content-type': 'application/problem+json',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
    ...(status === 405 ? { allow: 'GET' } : {}),
  })
  response.end(body)
}

function headerOf(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name]
  return typeof value === 'string' ? value : undefined
}

/** Digests are compared, so that neither length nor position of a difference shows in the time. */
function sameSecret(a: string, b: string): boolean {
  const digest = (value: string): Buffer => createHash('sha256').update(value).digest()
  return timingSafeEqual(digest(a), digest(b))
}
