import { createHash, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { BackChannel } from '../../gateway/credentials/back-channel.ts'
import { createRevocationReader } from '../../store/revocation-reader.ts'
import type { Store } from '../../store/store.ts'

import { answerQuestion, BACK_CHANNEL_PATH } from './back-channel.ts'

/** Where gateways on their own follow what is revoked. */
export const FEED_PATH = '/oauth/revocations'

/** Seconds between signs of life; each says how old what the sender knows is. */
const HEARTBEAT_SECONDS = 1

/** The largest piece that is handed to the connection at once; the next one waits until the follower has read on. */
const PIECE_BYTES = 48 * 1_024
/** A follower that reads nothing for so long is cut off; it catches up when it comes back. */
const PAUSED_MS = 60_000

interface FeedOptions {
  readonly store: Store
  /** AUDGATE_FEED_TOKEN; undefined: there is no feed. */
  readonly feedToken: string | undefined
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly heartbeatMs?: number
  /** A follower knows acts that the store has no numbers for: the store was copied back. Told once. */
  readonly onBehind: () => void
  /** What the questions of gateways are answered by. */
  readonly backChannel: BackChannel
}

/** The revocation feed of the process that holds the issuer: server-sent events, without secrets. */
export interface Feed {
  /**
   * Answers a request to {@link FEED_PATH}: 404 when there is no feed, 401 without the feed token, 405 for other methods than
   * GET, else a stream that begins with everything in force above `Last-Event-ID`. Questions to {@link BACK_CHANNEL_PATH} are answered likewise.
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
 * cut off names the last one that it has and misses nothing. `epoch` names the store's history: in another one ids mean other
 * entries, and the follower starts afresh. A sign of life is the end of a look at the store and says how long that took: a
 * store that can't be asked leaves followers without one.
 */
export function createFeed(options: FeedOptions): Feed {
  const streams = new Set<Stream>()
  const told = { behind: false }
  const onBehind = (): void => {
    if (!told.behind) options.onBehind()
    told.behind = true
  }
  const wakeAll = (): void => {
    for (const stream of streams) stream.wake()
  }
  const unsubscribe = options.store.subscribe(wakeAll)
  const heartbeat = setInterval(wakeAll, options.heartbeatMs ?? HEARTBEAT_SECONDS * 1_000)
  heartbeat.unref()
  const open = (request: IncomingMessage, response: ServerResponse): void => {
    response.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    })
    const stream = createStream(response, { ...options, onBehind }, positionOf(headerOf(request, 'last-event-id')))
    streams.add(stream)
    response.once('close', () => streams.delete(stream))
    stream.wake()
  }
  return {
    handle: (request, response) => {
      const asks = (request.url ?? '').split('?')[0] === BACK_CHANNEL_PATH
      const refusal = refuse(request, options.feedToken, asks ? 'POST' : 'GET')
      if (refusal !== undefined) return answer(response, refusal)
      if (asks) {
        answerQuestion(options.backChannel, request, response).catch(() => response.destroy())
        return
      }
      open(request, response)
    },
    keysChanged: () => {
      for (const stream of streams) stream.keysChanged()
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

function positionOf(text: string | undefined): { epoch: string; id: number } | undefined {
  const [, epoch, id] = /^([\w.-]{1,100}):(\d{1,15})$/.exec(text ?? '') ?? []
  return epoch === undefined ? undefined : { epoch, id: Number(id) }
}

interface Stream {
  /** Looks at the store and sends every entry that the follower has not got; calls while one is under way are joined. */
  wake(): void
  keysChanged(): void
  end(): void
}

function createStream(
  response: ServerResponse,
  options: FeedOptions,
  after: { readonly epoch: string; readonly id: number } | undefined,
): Stream {
  const reader = createRevocationReader(options.store, after)
  const state = { sending: false, again: false, keys: false, epoch: '', known: after?.id ?? 0 }
  const look = async (): Promise<void> => {
    for (let more = true; more; ) {
      const askedAt = performance.now()
      const page = await reader.read(options.now() / 1_000)
      const { epoch, id } = page.position
      if (state.known > id) options.onBehind()
      state.known = 0
      const events = page.entries.map((entry) => eventText('revocation', entry, `${epoch}:${entry.id}`))
      if (epoch !== state.epoch) events.unshift(eventText('hello', { epoch }))
      state.epoch = epoch
      if (state.keys) events.push(eventText('keys', {}))
      state.keys = false
      const ageMs = Math.ceil(performance.now() - askedAt)
      const facts = { ageMs, nowMs: options.now() }
      // From here on the follower lacks nothing that was in force when the store was asked.
      if (!page.more) events.push(eventText('current', facts, `${epoch}:${Math.max(id, page.entries.at(-1)?.id ?? 0)}`))
      for (const piece of pieces(events)) await send(response, piece)
      more = page.more
    }
  }
  const drain = async (): Promise<void> => {
    do {
      state.again = false
      await look()
    } while (state.again && !response.destroyed)
  }
  const wake = (): void => {
    state.again = true
    if (state.sending || response.destroyed) return
    state.sending = true
    drain()
      .catch(() => response.destroy())
      .finally(() => {
        state.sending = false
      })
  }
  return {
    wake,
    keysChanged: () => {
      state.keys = true
      wake()
    },
    end: () => response.end(),
  }
}

function eventText(event: string, data: unknown, id?: string): string {
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
}

/** Texts joined to pieces of at most {@link PIECE_BYTES}, or of one text. */
function* pieces(texts: readonly string[]): Generator<string> {
  let piece = ''
  for (const text of texts) {
    if (piece !== '' && piece.length + text.length > PIECE_BYTES) {
      yield piece
      piece = ''
    }
    piece += text
  }
  if (piece !== '') yield piece
}

/** Resolves when the follower has room for more. Rejects when it has gone, or has read nothing for a minute. */
async function send(response: ServerResponse, piece: string): Promise<void> {
  if (response.destroyed || response.writableEnded) throw new Error('the follower has gone')
  if (response.write(piece)) return
  const limit = new AbortController()
  const timer = setTimeout(() => limit.abort(), PAUSED_MS)
  timer.unref()
  const closed = (): void => limit.abort()
  response.once('close', closed)
  try {
    await once(response, 'drain', { signal: limit.signal })
  } finally {
    clearTimeout(timer)
    response.off('close', closed)
  }
}

function refuse(
  request: IncomingMessage,
  feedToken: string | undefined,
  method: 'GET' | 'POST',
): { status: number; detail: string } | undefined {
  if (feedToken === undefined) return { status: 404, detail: 'no feed: AUDGATE_FEED_TOKEN is not set at the issuer' }
  if (request.method !== method) return { status: 405, detail: `${method} only` }
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
