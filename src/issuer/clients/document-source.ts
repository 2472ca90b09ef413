import { setTimeout as delay } from 'node:timers/promises'
import type { Store } from '../../store/store.ts'

/** Kept documents in the store. */
const MODEL = 'ClientDocument'
/** At the same time, whoever asks: each is a connection to where a stranger points. */
const MOST_AT_ONCE = 8
const MOST_WAITING = 64
/** One host is asked once a second; who would have to wait longer than this is refused. */
const HOST_INTERVAL_MS = 1_000
const LONGEST_WAIT_MS = 3_000
const FAILURE_MS = 60_000
/** Failures, hosts and documents that are remembered; the oldest go. */
const MOST_KEPT = 1_000
const MOST_RECENT = 100
/** How long a document that was good once serves while its host is down. */
const GOOD_SECONDS = 30 * 86_400

export interface DocumentSource {
  /** The document behind a client's id; rejects when it can't be had. */
  fetch(url: string): Promise<Response>
  /** Keeps the last good document of a client that somebody has given something, for when its host is down. */
  keep(url: string): Promise<void>
}

interface DocumentSourceOptions {
  readonly store: Pick<Store, 'client' | 'model' | 'putModel'>
  /** Milliseconds. */
  readonly now: () => number
  /** Fetches without any bound on how often. */
  readonly fetch: (url: string) => Promise<Response>
  readonly wait?: (ms: number) => Promise<unknown>
}

/** Fetches what strangers name: bounded in all and for each host, failures remembered for a minute. */
export function createDocumentSource(options: DocumentSourceOptions): DocumentSource {
  const { store, now } = options
  const failed = new Map<string, number>()
  const recent = new Map<string, string>()
  const bounded = createBounds(options)
  const keep = async (url: string): Promise<void> => {
    const text = recent.get(url)
    if (text === undefined) return
    await store.putModel(MODEL, url, { text }, {}, Math.floor(now() / 1000) + GOOD_SECONDS)
  }
  const lastGood = async (url: string): Promise<Response> => {
    const kept = await store.model(MODEL, url)
    if (typeof kept?.text !== 'string') throw new Error('the document can’t be had')
    return asResponse(kept.text, { 'cache-control': 'max-age=60' })
  }
  return {
    keep,
    fetch: async (url) => {
      if (now() - (failed.get(url) ?? Number.NEGATIVE_INFINITY) < FAILURE_MS) return lastGood(url)
      const answer = await bounded(url).catch(() => undefined)
      // What the host itself says is gone is gone; what it can't say is an outage.
      if (answer !== undefined && answer.status < 500 && answer.status !== 429) {
        if (answer.status !== 200) {
          remember(failed, url, now(), MOST_KEPT)
          return answer
        }
        const text = await answer.text()
        remember(recent, url, text, MOST_RECENT)
        if ((await store.client(url)) !== undefined) await keep(url)
        return asResponse(text, Object.fromEntries(answer.headers))
      }
      remember(failed, url, now(), MOST_KEPT)
      return lastGood(url)
    },
  }
}

function createBounds({ now, fetch, wait = delay }: DocumentSourceOptions): (url: string) => Promise<Response> {
  const nextAt = new Map<string, number>()
  const waiting: (() => void)[] = []
  const state = { running: 0 }
  const place = async (): Promise<void> => {
    if (state.running < MOST_AT_ONCE) {
      state.running += 1
      return
    }
    if (waiting.length >= MOST_WAITING) throw new Error('too many documents are fetched right now')
    await new Promise<void>((resolve) => waiting.push(resolve))
  }
  return async (url) => {
    const { host } = new URL(url)
    const at = Math.max(now(), nextAt.get(host) ?? 0)
    if (at - now() > LONGEST_WAIT_MS) throw new Error('its host is asked too often')
    remember(nextAt, host, at + HOST_INTERVAL_MS, MOST_KEPT)
    if (at > now()) await wait(at - now())
    await place()
    try {
      return await fetch(url)
    } finally {
      // Whoever ends hands its place on, so `running` stays as it is.
      const next = waiting.shift()
      if (next === undefined) state.running -= 1
      else next()
    }
  }
}

function remember<T>(map: Map<string, T>, key: string, value: T, most: number): void {
  map.delete(key)
  map.set(key, value)
  if (map.size > most) for (const oldest of map.keys()) if (map.delete(oldest)) break
}

function asResponse(text: string, headers: Readonly<Record<string, string>>): Response {
  return new Response(text, { status: 200, headers: { 'content-type': 'application/json', ...headers } })
}
