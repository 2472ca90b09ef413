import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Store } from '../../store/store.ts'
import { appendCookie, cookieName, isSecure, readCookie } from '../http/cookies.ts'
import type { IssuerSettings } from '../issuer.ts'
import { seal, unseal } from '../keys/sealing.ts'
import type { Attempt, Pending } from './attempt-records.ts'

const LIFE_SECONDS = 600
const MOST = 10_000
const PURPOSE = 'provider attempt'

/** One-time records of ten minutes, each for the browser that it began in. */
export interface Attempts {
  /** Keeps the record, and the browser's cookie where it has none. Answers the key: the `state`. */
  begin(request: IncomingMessage, response: ServerResponse, record: Attempt | Pending): Promise<string>
  /** The record of this browser; undefined for another's, for an unknown or an old one. Nothing is spent. */
  find<K extends 'attempt' | 'pending'>(
    request: IncomingMessage,
    key: string,
    kind: K,
  ): Promise<Extract<Attempt | Pending, { kind: K }> | undefined>
  /** True for exactly one caller. */
  spend(key: string): Promise<boolean>
}

interface Parts {
  readonly store: Store
  readonly masterKey: Buffer
  readonly settings: () => IssuerSettings
  readonly now: () => number
}

/** Attempts in the store, sealed. */
export function createAttempts({ store, masterKey, settings, now }: Parts): Attempts {
  const secondsNow = (): number => Math.floor(now() / 1000)
  return {
    begin: async (request, response, record) => {
      const { origin } = settings()
      const known = browserOf(request, origin)
      const browser = known ?? randomBytes(24).toString('base64url')
      if (known === undefined) keepBrowser(response, origin, browser)
      const key = randomBytes(32).toString('base64url')
      const sealed = seal(masterKey, PURPOSE, JSON.stringify({ ...record, browser: hashOf(browser) }))
      await store.addAttempt(key, sealed, secondsNow() + LIFE_SECONDS, MOST)
      return key
    },
    find: async (request, key, kind) => {
      const sealed = /^[\w-]{43}$/.test(key) ? await store.attempt(key, secondsNow()) : undefined
      const text = sealed === undefined ? undefined : unseal(masterKey, PURPOSE, sealed)
      const browser = browserOf(request, settings().origin)
      if (text === undefined || browser === undefined) return undefined
      const { browser: owner, ...record }: (Attempt | Pending) & { readonly browser: string } = JSON.parse(text)
      if (!sameText(owner, hashOf(browser))) return undefined
      return isKind(record, kind) ? record : undefined
    },
    spend: (key) => store.takeAttempt(key),
  }
}

function isKind<K extends 'attempt' | 'pending'>(
  record: { readonly kind: string },
  kind: K,
): record is Extract<Attempt | Pending, { kind: K }> {
  return record.kind === kind
}

/** What {@link keepBrowser} left with this browser. */
function browserOf(request: IncomingMessage, origin: string): string | undefined {
  const value = readCookie(request.headers.cookie, cookieName('attempt', origin))
  return value !== undefined && /^[\w-]{32}$/.test(value) ? value : undefined
}

/** For as long as the browser runs: further attempts of its tabs go by the same. */
function keepBrowser(response: ServerResponse, origin: string, browser: string): void {
  const secure = isSecure(origin) ? '; secure' : ''
  appendCookie(response, `${cookieName('attempt', origin)}=${browser}; path=/; httponly; samesite=lax${secure}`)
}

function hashOf(browser: string): string {
  return createHash('sha256').update(browser).digest('base64url')
}

function sameText(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)]
  return a.length === b.length && timingSafeEqual(a, b)
}
