import { ClockWatch } from './clock.ts'
import { importJwk, type VerificationKey } from './jwk.ts'
import type { KeyLoader, LoadedKeys } from './key-source.ts'
import type { PublishedKey } from './trusted-issuer.ts'

/** The keys of one issuer, as far as they are known. All times are NumericDate seconds. */
export interface KeySet {
  /** Another number whenever the keys are others. */
  readonly version: number
  readonly keys: readonly VerificationKey[]
  /** Whether the keys may be used without waiting. Begins to fetch in the background when they grow old. */
  isReady(now: number): boolean
  /** Settles, never rejects, when the fetch that {@link isReady} began has ended; undefined when there is none. */
  readonly pending: Promise<void> | undefined
  /** Undefined while there are keys to judge by, else the seconds until they may be had. */
  retryAfter(now: number): number | undefined
  /** Fetches because a token names a key that is not here; undefined when that was done lately. */
  seek(now: number): Promise<void> | undefined
  /** The keys are said to have changed: they are got anew before the next use. */
  changed(): void
  stats(now: number): KeySetStats
  close(): void
}

interface KeySetStats {
  readonly keys: number
  /** Since the keys were last seen at their source; undefined: never. */
  readonly ageSeconds: number | undefined
  /** Tries that failed since the last good one. */
  readonly failures: number
}

export type KeyEvent =
  | { readonly kind: 'fetched'; readonly issuer: string; readonly keys: number; readonly changed: boolean }
  | { readonly kind: 'failed'; readonly issuer: string; readonly detail: string; readonly retryInSeconds: number }

const SEEK_EVERY_SECONDS = 30
/** How long keys serve beyond their time when the issuer can't be reached. */
const LAST_KNOWN_SECONDS = 86_400
const FIRST_RETRY_SECONDS = 1
/** An issuer that publishes no usable key may be about to make its first. */
const EMPTY_REFRESH_SECONDS = 15
const NEVER = Number.NEGATIVE_INFINITY

/**
 * Keys that are fetched at first use and kept. Past their refresh time they are fetched in the background; past twice that time the next
 * use waits for them. While the issuer can't be reached the last known ones serve for a day, and tries grow rarer.
 */
export class FetchedKeySet implements KeySet {
  readonly #issuer: string
  readonly #loader: KeyLoader
  readonly #onEvent: (event: KeyEvent) => void
  readonly #stop = new AbortController()
  readonly #clock = new ClockWatch()
  #keys: readonly VerificationKey[] = []
  #version = 0
  #pending: Promise<void> | undefined
  #failures = 0
  /** Grows with {@link changed}: what was asked for before may be out of date when it comes. */
  #changes = 0
  #loadedAt = NEVER
  #refreshAt = NEVER
  #waitFrom = NEVER
  #endsAt = NEVER
  #retryAt = NEVER
  #soughtAt = NEVER

  constructor(issuer: string, loader: KeyLoader, onEvent: (event: KeyEvent) => void) {
    this.#issuer = issuer
    this.#loader = loader
    this.#onEvent = onEvent
  }

  get version(): number {
    return this.#version
  }

  get keys(): readonly VerificationKey[] {
    return this.#keys
  }

  get pending(): Promise<void> | undefined {
    return this.#pending
  }

  isReady(now: number): boolean {
    this.#see(now)
    if (now < this.#refreshAt && this.#keys.length > 0) return true
    if (now >= this.#refreshAt && this.#mayTry(now)) void this.#load(now)
    // An issuer that fails again and again must not make requests wait for each of its tries.
    return this.#hasKeys(now) && (now < this.#waitFrom || this.#failures > 0)
  }

  retryAfter(now: number): number | undefined {
    if (this.#hasKeys(now)) return undefined
    return Math.max(1, Math.ceil(Math.max(this.#retryAt, this.#refreshAt) - now))
  }

  seek(now: number): Promise<void> | undefined {
    this.#see(now)
    if (this.#pending !== undefined) return this.#pending
    if (now < this.#soughtAt + SEEK_EVERY_SECONDS || !this.#mayTry(now)) return undefined
    this.#soughtAt = now
    return this.#load(now)
  }

  changed(): void {
    this.#changes += 1
    this.#failures = 0
    this.#refreshAt = NEVER
    this.#waitFrom = NEVER
    this.#retryAt = NEVER
  }

  stats(now: number): KeySetStats {
    const ageSeconds = this.#loadedAt === NEVER ? undefined : Math.max(0, now - this.#loadedAt)
    return { keys: this.#keys.length, ageSeconds, failures: this.#failures }
  }

  close(): void {
    this.#stop.abort()
  }

  /** When the clock was set back, what is due would wait for as long: keys that the issuer has withdrawn, and the next try. */
  #see(now: number): void {
    if (!this.#clock.see(now)) return
    this.#refreshAt = NEVER
    this.#waitFrom = NEVER
    this.#retryAt = NEVER
    this.#soughtAt = NEVER
    this.#endsAt = Math.min(this.#endsAt, now + LAST_KNOWN_SECONDS)
  }

  #hasKeys(now: number): boolean {
    return this.#keys.length > 0 && now < this.#endsAt
  }

  #mayTry(now: number): boolean {
    return now >= this.#retryAt && !this.#stop.signal.aborted
  }

  #load(now: number): Promise<void> {
    if (this.#pending !== undefined) return this.#pending
    const { signal } = this.#stop
    const changes = this.#changes
    this.#pending = this.#loader.load(signal).then(
      (loaded) => {
        this.#pending = undefined
        if (!signal.aborted) this.#accept(loaded, now)
        if (changes !== this.#changes) this.changed()
      },
      (error: unknown) => {
        this.#pending = undefined
        if (!signal.aborted) this.#fail(error, now)
      },
    )
    return this.#pending
  }

  #accept(loaded: LoadedKeys, now: number): void {
    const keys = loaded.kind === 'keys' ? importAll(loaded.jwks) : this.#keys
    const changed = fingerprint(keys) !== fingerprint(this.#keys)
    const refreshSeconds = keys.length > 0 ? loaded.refreshSeconds : EMPTY_REFRESH_SECONDS
    const isNews = loaded.kind === 'keys' || this.#failures > 0
    if (changed) this.#version += 1
    this.#keys = keys
    this.#failures = 0
    this.#retryAt = NEVER
    this.#loadedAt = now
    this.#refreshAt = now + refreshSeconds
    this.#waitFrom = this.#refreshAt + refreshSeconds
    this.#endsAt = this.#refreshAt + LAST_KNOWN_SECONDS
    if (isNews) this.#onEvent({ kind: 'fetched', issuer: this.#issuer, keys: keys.length, changed })
  }

  #fail(error: unknown, now: number): void {
    const doubled = FIRST_RETRY_SECONDS * 2 ** Math.min(this.#failures, 16)
    const retryInSeconds = Math.min(doubled, this.#loader.maxRetrySeconds)
    this.#failures += 1
    this.#retryAt = now + retryInSeconds
    const detail = error instanceof Error ? error.message : String(error)
    this.#onEvent({ kind: 'failed', issuer: this.#issuer, detail, retryInSeconds })
  }
}

/** Keys of this process: always there, or not at all. */
export function createStaticKeySet(jwks: () => readonly PublishedKey[]): KeySet {
  let keys = importAll(jwks())
  let version = 0
  return {
    get version() {
      return version
    },
    get keys() {
      return keys
    },
    pending: undefined,
    isReady: () => true,
    retryAfter: () => (keys.length > 0 ? undefined : 1),
    seek: () => undefined,
    changed: () => {
      keys = importAll(jwks())
      version += 1
    },
    stats: () => ({ keys: keys.length, ageSeconds: 0, failures: 0 }),
    close: () => undefined,
  }
}

function importAll(jwks: readonly PublishedKey[]): readonly VerificationKey[] {
  return jwks.map(importJwk).filter((key) => key !== undefined)
}

function fingerprint(keys: readonly VerificationKey[]): string {
  return keys
    .map((key) => key.fingerprint)
    .sort()
    .join('\n')
}
