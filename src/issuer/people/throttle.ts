import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Store, UserRecord } from '../../store/store.ts'
import { deriveKey } from '../keys/sealing.ts'
import { createPasswords, type Passwords } from './passwords.ts'

/** Failures are forgotten this long after the last one. */
const WINDOW_MS = 15 * 60_000

/** How one kind of counter slows tries. */
export interface Bucket {
  readonly delayMs: (failures: number) => number
  /** How many tries may wait or be checked at the same time. */
  readonly places: (failures: number) => number
}

/** One try's place in a bucket; `leave` must be called whatever comes. */
export interface Attempt {
  readonly full: boolean
  readonly delayMs: number
  failed(): Promise<void>
  succeeded(): Promise<void>
  leave(): void
}

export interface Buckets {
  enter(key: string, bucket: Bucket): Promise<Attempt>
}

/** Counters of failed tries in the store; tries under way are counted here as if they had failed. */
export function createBuckets(store: Store, now: () => number): Buckets {
  const underWay = new Map<string, number>()
  return {
    enter: async (key, bucket) => {
      // Counted before the store is asked, so that tries sent side by side see each other.
      const others = underWay.get(key) ?? 0
      underWay.set(key, others + 1)
      const leave = (): void => {
        const left = (underWay.get(key) ?? 1) - 1
        if (left > 0) underWay.set(key, left)
        else underWay.delete(key)
      }
      const failures = await count(store, key, now()).catch((error: unknown) => {
        leave()
        throw error
      })
      const full = others >= bucket.places(failures + others)
      return {
        full,
        delayMs: bucket.delayMs(failures + others),
        failed: async () => {
          const at = Math.floor(now())
          const expiresAt = Math.ceil((at + WINDOW_MS) / 1000)
          await store.putThrottle(key, (await count(store, key, at)) + 1, at, expiresAt)
        },
        succeeded: () => store.clearThrottle(key),
        leave,
      }
    },
  }
}

async function count(store: Store, key: string, nowMs: number): Promise<number> {
  const kept = await store.throttle(key)
  return kept === undefined || nowMs - kept.lastAtMs > WINDOW_MS ? 0 : kept.failures
}

export interface SignInAttempt {
  readonly username: string
  readonly password: string
  /** The person's address, trusted proxies taken into account. */
  readonly address: string
  /** The cookie that an earlier success gave this device; whether it is genuine is checked here. */
  readonly deviceKey?: string | undefined
}

export type SignInResult =
  /** `deviceKey`: to be kept in a cookie of the device for a year. */
  | { readonly kind: 'ok'; readonly user: UserRecord; readonly amr: readonly ['pwd']; readonly deviceKey: string }
  /** Wrong name, wrong password or a disabled account: nobody learns which. */
  | { readonly kind: 'wrong' }
  /** Too many tries at once; the password was not looked at. */
  | { readonly kind: 'slow'; readonly retryAfterSeconds: number }

export interface SignIn {
  /** Takes up to 6 s longer the more tries have failed; never locks a person out. */
  attempt(attempt: SignInAttempt): Promise<SignInResult>
}

export interface SignInOptions {
  readonly store: Store
  readonly masterKey: Buffer
  /** Milliseconds. */
  readonly now: () => number
  readonly passwords?: Passwords
  readonly wait?: (ms: number) => Promise<unknown>
}

/**
 * For devices that this person has not signed in from. Twelve wrong tries of others cost the owner 3 s. The places bound
 * what a crowd of addresses can try: five passwords a second, under a lasting attack less than one.
 */
const ACCOUNT: Bucket = {
  delayMs: (failures) => (failures < 3 ? 0 : failures < 50 ? Math.min(250 * 2 ** (failures - 3), 3000) : 6000),
  // Many tabs or programs of one person at once are no attack; a few failures are what tells.
  places: (failures) => (failures < 3 ? 64 : failures < 50 ? 16 : 4),
}
/** One address may stand for many people, or for all of them behind a proxy that isn't listed as trusted. */
const ADDRESS: Bucket = {
  delayMs: (failures) => (failures < 10 ? 0 : failures < 20 ? 1000 : failures < 100 ? 3000 : 6000),
  places: (failures) => (failures < 100 ? 128 : 4),
}
/** A device that its owner signed in from before: what others do elsewhere does not slow it. */
const DEVICE: Bucket = {
  delayMs: (failures) => (failures < 5 ? 0 : Math.min(250 * 2 ** (failures - 5), 6000)),
  places: () => 16,
}

/** Signing in by name and password, slowed per account and per address. */
export function createSignIn(options: SignInOptions): SignIn {
  const { store, now } = options
  const passwords = options.passwords ?? createPasswords()
  const wait = options.wait ?? ((ms: number) => delay(ms))
  const deviceSecret = deriveKey(options.masterKey, 'known devices')
  const buckets = createBuckets(store, now)

  const check = async (attempt: SignInAttempt): Promise<SignInResult> => {
    const user = await store.userByName(attempt.username)
    const verdict = await passwords.verify(user?.passwordHash, attempt.password)
    if (verdict === 'busy') return { kind: 'slow', retryAfterSeconds: 2 }
    // Read again: the account may have been disabled, or its password changed, while this try waited and was hashed.
    const fresh = user === undefined ? undefined : await store.userBySub(user.sub)
    if (verdict === 'wrong' || fresh === undefined || fresh.disabled) return { kind: 'wrong' }
    if (fresh.passwordHash !== user?.passwordHash) return { kind: 'wrong' }
    if (verdict === 'weaker') await strengthen(store, passwords, fresh, attempt.password)
    return { kind: 'ok', user: fresh, amr: ['pwd'], deviceKey: makeDeviceKey(deviceSecret, attempt.username) }
  }

  return {
    attempt: async (attempt) => {
      const name = attempt.username.normalize('NFKC').toLowerCase().slice(0, 256)
      const known = isDeviceKey(deviceSecret, attempt.username, attempt.deviceKey)
      const turns: Attempt[] = []
      try {
        turns.push(await buckets.enter(`address ${addressGroup(attempt.address)}`, ADDRESS))
        turns.push(
          known
            ? await buckets.enter(`device ${attempt.deviceKey}`, DEVICE)
            : await buckets.enter(`account ${name}`, ACCOUNT),
        )
        return await inTurn(turns, wait, () => check(attempt))
      } finally {
        for (const turn of turns) turn.leave()
      }
    },
  }
}

async function inTurn(
  turns: readonly Attempt[],
  wait: (ms: number) => Promise<unknown>,
  check: () => Promise<SignInResult>,
): Promise<SignInResult> {
  if (turns.some((turn) => turn.full)) return { kind: 'slow', retryAfterSeconds: 3 }
  const delayMs = Math.max(...turns.map((turn) => turn.delayMs))
  if (delayMs > 0) await wait(delayMs)
  const result = await check()
  if (result.kind === 'wrong') await Promise.all(turns.map((turn) => turn.failed()))
  // The address's count stays: who signs in to an account of their own must not win free tries at others'.
  if (result.kind === 'ok') await turns.at(-1)?.succeeded()
  return result
}

/** Kept only while the old hash stands, so that a password that was changed meanwhile is not brought back. */
async function strengthen(store: Store, passwords: Passwords, user: UserRecord, password: string): Promise<void> {
  const passwordHash = await passwords.hash(password)
  if (passwordHash !== undefined) await store.updateUser(user.sub, { passwordHash }, user.passwordHash)
}

/** IPv6 networks hand out 2^64 addresses to one subscriber; they count as one. */
function addressGroup(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)
  if (mapped !== null) return mapped[1] ?? address
  if (!address.includes(':')) return address
  const [head = '', tail] = (address.split('%')[0] ?? '').split('::')
  const groups = head === '' ? [] : head.split(':')
  const missing = tail === undefined ? 0 : 8 - groups.length - (tail === '' ? 0 : tail.split(':').length)
  const whole = [...groups, ...Array<string>(Math.max(missing, 0)).fill('0'), ...(tail ?? '').split(':')]
  return whole
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')
}

function makeDeviceKey(secret: Buffer, username: string): string {
  const chance = randomBytes(16).toString('base64url')
  return `${chance}.${deviceTag(secret, username, chance).toString('base64url')}`
}

function isDeviceKey(secret: Buffer, username: string, deviceKey: string | undefined): boolean {
  const [chance = '', tag = '', ...rest] = (deviceKey ?? '').slice(0, 200).split('.')
  if (chance === '' || rest.length > 0) return false
  const [expected, actual] = [deviceTag(secret, username, chance), Buffer.from(tag, 'base64url')]
  return expected.length === actual.length && timingSafeEqual(expected, actual)
}

/** Bound to the account: the cookie of one's own account opens no way to another's. */
function deviceTag(secret: Buffer, username: string, chance: string): Buffer {
  return createHmac('sha256', secret)
    .update(`${chance}\0${username.normalize('NFKC').toLowerCase()}`)
    .digest()
}
