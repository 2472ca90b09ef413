import { type RevocationEntry, RevocationTable } from '../core/revocation.ts'
import type { VerifiedToken } from '../core/token.ts'
import { createRevocationReader, type RevocationPage } from '../store/revocation-reader.ts'
import type { Store } from '../store/store.ts'

/** How often the store is asked, so that another process's act is known here well within a second. */
const POLL_MS = 250
const SWEEP_MS = 60_000
/** Entries outlive the last token that they can touch by an hour; a clock that is set back further brings dead tokens to life. */
const MOST_SET_BACK_SECONDS = 1800

export interface RevocationsOptions {
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** What is known here has become too old (a text), or is current again (undefined). */
  readonly onState: (fault: string | undefined) => void
  /** The store's list of revocations is another one, or goes back: `putBack` entries that it lacked were put back. */
  readonly onRewound?: (putBack: number) => void
  /** How old the knowledge may be, milliseconds. */
  readonly staleAfterMs: () => number
}

/** What is revoked, held in memory so that no request asks the store. */
export interface Revocations {
  readonly size: number
  isRevoked(token: VerifiedToken): boolean
  /** Another one whenever a token that was not revoked may be so now. */
  readonly state: object
  /** Why an entry may be missing; undefined when none is. */
  unavailable(): string | undefined
  /** Up to which id the store's revocations are known here. */
  readonly position: number
  /** Milliseconds since the store was last asked by a question that it answered; 0 where no store is followed. */
  ageMs(): number
  /** Entries that come from elsewhere: a gateway on its own follows a feed. */
  add(entries: readonly RevocationEntry[]): void
  /** All that is in force, for processes that start later. */
  entries(): readonly RevocationEntry[]
  /** Calls back with entries that come into force from now on. */
  onAdded(listener: (entries: readonly RevocationEntry[]) => void): void
  /** Loads what is in force, and keeps up with the store from then on. Rejects when the store can't be read. */
  follow(store: Store): Promise<void>
  close(): void
}

/** An empty table; {@link Revocations.follow} fills it. What is older than it may be is said by the clock, whatever the reason. */
export function createRevocations(options: RevocationsOptions): Revocations {
  const table = new RevocationTable()
  const stops: (() => void)[] = []
  const sweep = setInterval(() => table.sweep(options.now() / 1_000), SWEEP_MS)
  sweep.unref()
  const knowledge = createKnowledge(options)
  const listeners: ((entries: readonly RevocationEntry[]) => void)[] = []
  const add = (entries: readonly RevocationEntry[]): void => {
    if (entries.length === 0) return
    table.add(entries)
    for (const listener of listeners) listener(entries)
  }
  return {
    get size() {
      return table.size
    },
    isRevoked: (token) => table.isRevoked(token),
    get state() {
      return table.state
    },
    entries: () => table.entries(),
    onAdded: (listener) => void listeners.push(listener),
    get position() {
      return knowledge.position()
    },
    unavailable: knowledge.unavailable,
    ageMs: knowledge.ageMs,
    add,
    follow: async (store) => {
      const reader = createRevocationReader(store)
      // Stays until it has been done: a store that goes back may go away again amid it.
      const owed = { putBack: false }
      const read = async (): Promise<void> => {
        const askedAt = knowledge.moment()
        for (let more = true; more; ) {
          const page = await reader.read(options.now() / 1_000)
          owed.putBack ||= page.rewound
          // The reader doesn't give them twice, and the next step may fail.
          add(page.entries)
          if (owed.putBack) options.onRewound?.(await store.putBack(table.entries()))
          owed.putBack = false
          knowledge.learn(askedAt, page)
          more = page.more
        }
      }
      await read()
      const keepUp = createKeepUp(read, knowledge)
      stops.push(store.subscribe(keepUp.wake), keepUp.stop)
      // An act between the first look and this one is found now.
      keepUp.wake()
    },
    close: () => {
      clearInterval(sweep)
      for (const stop of stops) stop()
    },
  }
}

interface Moment {
  readonly monotonicMs: number
  readonly wallMs: number
}

/** How old what is known here is. */
interface Knowledge {
  moment(): Moment
  /** What a page says was asked for at `askedAt`. */
  learn(askedAt: Moment, page: RevocationPage): void
  fail(error: unknown): void
  ageMs(): number
  position(): number
  unavailable(): string | undefined
  /** Tells when the answer of `unavailable` has changed. */
  tell(): void
}

function createKnowledge({ now, staleAfterMs, onState }: RevocationsOptions): Knowledge {
  let asOf: Moment | undefined
  let sweptAt = 0
  let position = 0
  let fault = ''
  let reported: string | undefined
  const moment = (): Moment => ({ monotonicMs: performance.now(), wallMs: now() })
  // The monotonic clock stands still while a machine sleeps, the other one can be set: the longer time counts.
  const ageMs = (): number =>
    asOf === undefined ? 0 : Math.max(performance.now() - asOf.monotonicMs, now() - asOf.wallMs, 0)
  const unavailable = (): string | undefined => {
    const backSeconds = sweptAt - now() / 1_000
    if (backSeconds > MOST_SET_BACK_SECONDS) return setBack(backSeconds)
    const age = ageMs()
    if (age <= staleAfterMs()) return undefined
    return `revocations can't be read since ${Math.round(age / 1_000)} s${fault === '' ? '' : `: ${fault}`}`
  }
  return {
    moment,
    ageMs,
    position: () => position,
    unavailable,
    learn: (askedAt, page) => {
      fault = ''
      sweptAt = page.position.sweptAt
      if (page.more) return
      asOf = askedAt
      position = page.position.id
    },
    fail: (error) => {
      fault = error instanceof Error ? error.message : 'unknown'
    },
    tell: () => {
      const reason = unavailable()
      if ((reason === undefined) === (reported === undefined)) return
      reported = reason
      onState(reason)
    },
  }
}

function setBack(seconds: number): string {
  return `the clock goes ${Math.round(seconds)} s behind what it was: revocations of then may be forgotten; set the clock, or run \`audgate store restored\``
}

/** Reads one at a time, at every wake and at every tick; wakes that come meanwhile are joined into one more. */
function createKeepUp(read: () => Promise<void>, knowledge: Knowledge): { wake: () => void; stop: () => void } {
  const state = { reading: false, again: false, stopped: false }
  const wake = (): void => {
    state.again = true
    if (!state.reading) void drain()
  }
  const drain = async (): Promise<void> => {
    state.reading = true
    while (state.again && !state.stopped) {
      state.again = false
      await read().catch(knowledge.fail)
      if (!state.stopped) knowledge.tell()
    }
    state.reading = false
  }
  const poll = setInterval(() => {
    knowledge.tell()
    wake()
  }, POLL_MS)
  poll.unref()
  const stop = (): void => {
    state.stopped = true
    clearInterval(poll)
  }
  return { wake, stop }
}
