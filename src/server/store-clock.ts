import type { Log } from '../observe/log.ts'
import type { Store } from '../store/store.ts'

const LOOK_MS = 10_000
/** Of the looks of the last minute the one that was answered soonest says most. */
const LOOKS_KEPT = 6
/** Clocks of machines drift apart by less: 200 parts in a million. */
const DRIFT = 0.0002
/** From here on somebody should set the clock. */
const WARN_MS = 1_000
/** From here on `exp` and `iat`, which gateways judge with five seconds of tolerance, would be read wrong. */
const MOST_MS = 5_000

/** The clock that all instances of one store go by: the database's, or this machine's own where the store is a file. */
export interface StoreClock {
  /** Milliseconds since the epoch, rounded down by what isn't known of it: what is stamped so was surely begun by then. */
  now(): number
  /** By how much this machine's clock is ahead of the database's, seconds; negative: behind. 0 where they are one. */
  offsetSeconds(): number
  /** Why nothing may be issued here; undefined: it may. */
  fault(): string | undefined
  close(): void
}

interface StoreClockOptions {
  /** Milliseconds since the epoch, this machine's. */
  readonly now: () => number
  /** Milliseconds, monotonic. */
  readonly monotonic: () => number
  readonly log: Pick<Log, 'info' | 'warn' | 'error'>
}

/** The database's time, and how long its answer took: it was that late at some moment in between. */
interface Look {
  readonly databaseMs: number
  readonly answeredAt: number
  readonly tookMs: number
}

/**
 * Asks the database for its time every ten seconds. Between two looks time goes on by the monotonic clock, so that setting this
 * machine's clock changes no stamp. Rejects with StoreError when the first look fails.
 */
export async function openStoreClock(store: Pick<Store, 'clock'>, options: StoreClockOptions): Promise<StoreClock> {
  const { now, monotonic } = options
  const looks: Look[] = []
  const look = async (): Promise<boolean> => {
    const askedAt = monotonic()
    const databaseMs = await store.clock()
    if (databaseMs === undefined) return false
    const answeredAt = monotonic()
    const latest = { databaseMs, answeredAt, tookMs: answeredAt - askedAt }
    // Another server's clock, or one that was set: what was seen of it before says nothing.
    const agreeing = looks.filter((each) => agree(each, latest))
    looks.splice(0, looks.length, ...agreeing.slice(1 - LOOKS_KEPT), latest)
    return true
  }
  // The first question makes the connection, the second is answered at once.
  if (!(await look())) return { now, offsetSeconds: () => 0, fault: () => undefined, close: () => undefined }
  await look()
  const clock = clockBy(() => best(looks, monotonic()), options)
  clock.tell()
  const timer = setInterval(() => {
    // A database that is away is told of elsewhere; time goes on.
    look()
      .then(clock.tell)
      .catch(() => clock.tell())
  }, LOOK_MS)
  timer.unref()
  return { ...clock, close: () => clearInterval(timer) }
}

/** How far the time of a look may be off by `at`, milliseconds, to either side. */
function errorOf({ tookMs, answeredAt }: Look, at: number): number {
  return tookMs / 2 + (at - answeredAt) * DRIFT
}

function agree(before: Look, latest: Look): boolean {
  const at = latest.answeredAt
  const expected = before.databaseMs + before.tookMs / 2 + (at - before.answeredAt)
  return Math.abs(expected - (latest.databaseMs + latest.tookMs / 2)) <= errorOf(before, at) + errorOf(latest, at) + 1
}

function best(looks: readonly Look[], at: number): Look {
  const [soonest] = looks.toSorted((a, b) => errorOf(a, at) - errorOf(b, at))
  if (soonest === undefined) throw new TypeError('a clock that was never looked at')
  return soonest
}

function clockBy(
  look: () => Look,
  { now, monotonic, log }: StoreClockOptions,
): Pick<StoreClock, 'now' | 'offsetSeconds' | 'fault'> & { tell(): void } {
  const state: { said: 'right' | 'off' | 'refused' } = { said: 'right' }
  const earliest = (): number => {
    const known = look()
    const at = monotonic()
    // Asked before it was answered: the database's clock showed at least this when the answer was here.
    return Math.floor(known.databaseMs + (at - known.answeredAt) * (1 - DRIFT))
  }
  const offsetMs = (): number => {
    const known = look()
    return now() - (known.databaseMs + known.tookMs / 2 + (monotonic() - known.answeredAt))
  }
  /** What it is off by at least. */
  const surelyMs = (): number => Math.max(0, Math.abs(offsetMs()) - errorOf(look(), monotonic()))
  const fault = (): string | undefined =>
    surelyMs() <= MOST_MS ? undefined : `${words(offsetMs())}: set the clock of this machine (NTP)`
  const tell = (): void => {
    const off = surelyMs()
    const found = off > MOST_MS ? 'refused' : off > WARN_MS ? 'off' : 'right'
    if (found === state.said) return
    state.said = found
    const detail = { offset_seconds: Math.round(offsetMs()) / 1_000, audit: true }
    if (found === 'right') log.info('clock.right', detail)
    else if (found === 'off') log.warn('clock.off', { ...detail, detail: words(offsetMs()) })
    else log.error('clock.off', { ...detail, detail: `${words(offsetMs())}: nothing is issued here` })
  }
  return { now: earliest, offsetSeconds: () => offsetMs() / 1_000, fault, tell }
}

function words(offsetMs: number): string {
  const side = offsetMs > 0 ? 'ahead of' : 'behind'
  return `the clock here is ${(Math.abs(offsetMs) / 1_000).toFixed(1)} s ${side} the database's`
}
