import { createHmac } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { addressGroup } from '../../core/address.ts'
import { usernameKey } from '../../store/records.ts'
import type { Store, UserRecord } from '../../store/store.ts'
import { deriveKey } from '../keys/sealing.ts'
import { createFailures, type Failures } from './buckets.ts'
import { createDeviceKeys, type DeviceKeys } from './device-keys.ts'
import { createPasswords, type Lane, type Passwords } from './passwords.ts'
import { type Candidate, createPlaceQueue, type PlaceQueue } from './place-queue.ts'
import { createVisitors, type Visitors } from './visitors.ts'

/** One try of a name and a password. */
export interface SignInAttempt {
  readonly username: string
  readonly password: string
  /** The person's address, trusted proxies taken into account. */
  readonly address: string
  /** The cookie that an earlier success gave this device; whether it is genuine is checked here. */
  readonly deviceKey?: string | undefined
  /** What tells one browser of an address from another, such as the sign-in that it is in. Tells only whom to serve first. */
  readonly visitor?: string | undefined
  /** Whether nobody waits for the answer any more. */
  readonly left?: (() => boolean) | undefined
}

/** Who tried, as a log may say it: people type a password where the name belongs. */
type Named = { readonly username: string; readonly sub: string } | { readonly name_hash: string }

export type SignInResult =
  /** `deviceKey`: to be kept in a cookie of the device for a year. */
  | {
      readonly kind: 'ok'
      readonly user: UserRecord
      readonly amr: readonly ['pwd']
      readonly deviceKey: string
      readonly named: Named
    }
  /** Wrong name, wrong password or a disabled account: nobody learns which. */
  | { readonly kind: 'wrong'; readonly named: Named }
  /** More tries wait than can be kept; the password was not looked at. */
  | { readonly kind: 'slow'; readonly retryAfterSeconds: number; readonly named: Named }

interface CodeAttempt<Shown> {
  /** Whose password was right. */
  readonly user: UserRecord
  readonly address: string
  /** As in {@link SignInAttempt}. */
  readonly deviceKey: string | undefined
  readonly visitor: string
  readonly left: () => boolean
  /** Undefined: wrong. */
  readonly judge: () => Promise<Shown | undefined>
}

export interface SignIn {
  /**
   * Tries wait for a place, round by round over address groups, and a wrong one keeps its place a while, so that the next is slow; a right
   * one is answered at once. Never locks a person out.
   */
  attempt(attempt: SignInAttempt): Promise<SignInResult>
  /**
   * One try at a code of somebody whose password was right: those of one account take turns, and a wrong one keeps its place a while; devices
   * that the person signed in from before have a line for themselves. 'slow': more wait than can be kept, and the code was not looked at.
   */
  attemptCode<Shown>(attempt: CodeAttempt<Shown>): Promise<Shown | 'wrong' | 'slow'>
  /** A device key for someone whose password has just been changed: earlier ones ended with the old password. */
  deviceKeyFor(user: UserRecord): string
}

interface SignInOptions {
  readonly store: Store
  readonly masterKey: Buffer
  /** Milliseconds. */
  readonly now: () => number
  readonly passwords?: Passwords
  readonly wait?: (ms: number) => Promise<unknown>
}

/** What tries of one kind wait for. */
interface Bar {
  readonly key: string
  /** How long a wrong try keeps its place, by the failures so far, itself included. */
  readonly holdMs: (failures: number) => number
  readonly places: (failures: number) => number
  /** Whether one address group has at most one of them. */
  readonly onePerGroup: boolean
}

/** Longer would lose the owner, who may wait for three of them, the 8 s in which to be in. */
const LONGEST_HOLD_MS = 2000

/** Of a password, for which the owner waits in two lines: few places that are given on soon wait less than many, at as many tries. */
const LONGEST_PASSWORD_HOLD_MS = 1000

/** The places bound what a crowd of addresses can try at one account: under a lasting attack one password a second. */
const accountBar = (name: string): Bar => ({
  key: `account ${name}`,
  holdMs: (failures) => Math.min(doubling(failures - 3), LONGEST_PASSWORD_HOLD_MS),
  places: (failures) => (failures < 3 ? 16 : failures < 50 ? 4 : 1),
  onePerGroup: true,
})

/** One address may stand for many people, or for all of them behind a proxy that isn't listed as trusted. */
const addressBar = (wide: string): Bar => ({
  key: `address ${wide}`,
  holdMs: (failures) => (failures <= 10 ? 0 : LONGEST_PASSWORD_HOLD_MS),
  places: (failures) => (failures < 100 ? 64 : 2),
  onePerGroup: false,
})

/** A code is short: nobody tries two at a time, and all who know the password wait in one line. */
const codeBar = (sub: string, known: boolean): Bar => ({
  // One line for all known devices: whoever knows the password may have made many of them before there was a second factor.
  key: known ? `code of a known device ${sub}` : `code ${sub}`,
  holdMs: (failures) => doubling(failures - 3),
  places: () => 1,
  onePerGroup: true,
})

/** A device that its owner signed in from before waits in a line of its own: what others do does not slow it. */
const deviceBar = (deviceKey: string): Bar => ({
  key: `device ${deviceKey}`,
  holdMs: (failures) => doubling(failures - 5),
  places: () => 2,
  onePerGroup: false,
})

function doubling(step: number): number {
  return step < 1 ? 0 : Math.min(250 * 2 ** Math.min(step - 1, 10), LONGEST_HOLD_MS)
}

interface Workings {
  readonly store: Store
  readonly passwords: Passwords
  readonly wait: (ms: number) => Promise<unknown>
  readonly failures: Failures
  readonly queue: PlaceQueue
  readonly devices: DeviceKeys
}

/** Signing in by name and password, slowed per account and per address. */
export function createSignIn(options: SignInOptions): SignIn {
  const { store, masterKey, now } = options
  const devices = createDeviceKeys(masterKey)
  const nameKey = deriveKey(masterKey, 'names in the log')
  const visitors = { passwords: createVisitors(), codes: createVisitors() }
  const workings: Workings = {
    store,
    passwords: options.passwords ?? createPasswords(),
    wait: options.wait ?? ((ms: number) => delay(ms)),
    failures: createFailures(store, now),
    queue: createPlaceQueue(),
    devices,
  }
  return {
    attempt: async (attempt) => {
      const name = usernameKey(attempt.username).slice(0, 256)
      // No name holds U+0000, and not every database takes it.
      const user = name.includes('\0') ? undefined : await store.userByName(attempt.username)
      const known = user !== undefined && devices.isOf(user, attempt.deviceKey)
      const group = addressGroup(attempt.address)
      const bars = known ? [deviceBar(attempt.deviceKey ?? '')] : [addressBar(group.wide), accountBar(name)]
      const left = (): boolean => attempt.left?.() ?? false
      const result = await visiting(visitors.passwords, attempt.visitor ?? '', left, (tried) => {
        const candidate = { group, tried, left }
        return inPlaces(workings, bars, candidate, () => check(workings, attempt, user, { known, candidate }))
      })
      return {
        ...result,
        named: user === undefined ? { name_hash: hashed(nameKey, name) } : { username: user.username, sub: user.sub },
      }
    },
    attemptCode: async ({ user, address, deviceKey, visitor, left, judge }) => {
      const bars = [codeBar(user.sub, devices.isOf(user, deviceKey))]
      const judged = async () => {
        const shown = await judge()
        return shown === undefined ? ({ kind: 'wrong' } as const) : ({ kind: 'ok', shown } as const)
      }
      const result = await visiting(visitors.codes, visitor, left, (tried) =>
        inPlaces(workings, bars, { group: addressGroup(address), tried, left }, judged),
      )
      return result.kind === 'ok' ? result.shown : result.kind
    },
    deviceKeyFor: devices.make,
  }
}

type Verdict =
  | { readonly kind: 'ok'; readonly user: UserRecord; readonly amr: readonly ['pwd']; readonly deviceKey: string }
  | { readonly kind: 'wrong' }
  | { readonly kind: 'slow'; readonly retryAfterSeconds: number }

const SLOW: Slow = { kind: 'slow', retryAfterSeconds: 3 }

type Slow = Extract<Verdict, { readonly kind: 'slow' }>

async function visiting<Judged extends { readonly kind: string }>(
  visitors: Visitors,
  visitor: string,
  left: () => boolean,
  attempt: (tried: boolean) => Promise<Judged>,
): Promise<Judged> {
  const visit = visitors.begin(visitor, left)
  const state = { failed: false }
  try {
    const result = await attempt(visit.tried)
    state.failed = result.kind === 'wrong'
    return result
  } finally {
    visit.end(state.failed)
  }
}

async function inPlaces<Judged extends { readonly kind: string }>(
  { failures, queue, wait }: Workings,
  bars: readonly Bar[],
  candidate: Candidate,
  judge: () => Promise<Judged>,
): Promise<Judged | Slow> {
  const places: (() => void)[] = []
  try {
    // The address first: who waits for an account's place holds none that others need.
    for (const bar of bars) {
      const giveBack = await queue.take(bar.key, candidate, bar.places(await failures.count(bar.key)), bar.onePerGroup)
      if (giveBack === 'full') return SLOW
      places.push(giveBack)
    }
    const verdict = await judge()
    if (verdict.kind === 'wrong') {
      const holds = await Promise.all(bars.map(async (bar) => bar.holdMs(await failures.add(bar.key))))
      // Its place is given on before the answer goes out: whoever waits is served before the next try comes in.
      const holdMs = Math.max(...holds)
      if (holdMs > 0) await wait(holdMs)
    }
    // The address's count stays: who signs in to an account of their own must not win free tries at others'.
    const last = bars.at(-1)
    if (verdict.kind === 'ok' && last !== undefined) await failures.forget(last.key)
    return verdict
  } finally {
    for (const giveBack of places) giveBack()
  }
}

async function check(
  { store, passwords, devices }: Workings,
  attempt: SignInAttempt,
  user: UserRecord | undefined,
  lane: Lane,
): Promise<Verdict> {
  // Read again: the account may have been disabled, or its password changed, while this try waited and was hashed.
  const before = user === undefined ? undefined : await store.userBySub(user.sub)
  const verdict = await passwords.verify(before?.passwordHash, attempt.password, lane)
  if (verdict === 'busy') return SLOW
  const fresh = before === undefined ? undefined : await store.userBySub(before.sub)
  if (verdict === 'wrong' || fresh === undefined || fresh.disabled) return { kind: 'wrong' }
  if (fresh.passwordHash !== before?.passwordHash) return { kind: 'wrong' }
  const kept = verdict === 'weaker' ? await strengthen(store, passwords, fresh, attempt.password, lane) : fresh
  return { kind: 'ok', user: kept, amr: ['pwd'], deviceKey: devices.make(kept) }
}

/** Kept only while the old hash stands, so that a password that was changed meanwhile is not brought back. */
async function strengthen(
  store: Store,
  passwords: Passwords,
  user: UserRecord,
  password: string,
  lane: Lane,
): Promise<UserRecord> {
  const passwordHash = await passwords.hash(password, lane)
  const done = passwordHash !== undefined && (await store.updateUser(user.sub, { passwordHash }, user.passwordHash))
  return done ? { ...user, passwordHash } : user
}

function hashed(key: Buffer, name: string): string {
  return createHmac('sha256', key).update(name).digest('base64url').slice(0, 16)
}
