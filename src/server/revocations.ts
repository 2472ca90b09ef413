import { type Revocation, RevocationTable } from '../core/revocation.ts'
import type { VerifiedToken } from '../core/token.ts'
import type { Store } from '../store/store.ts'

const FLUSH_MS = 5_000
// More authorizations than are used within one interval; beyond it some uses are not noted.
const MOST_NOTED = 10_000

/** When each authorization was last used, gathered in memory and written down now and then. */
export interface LastUse {
  /** @param now NumericDate; fractions of a second are dropped. */
  note(gid: string, now: number): void
  /** Writes down what was gathered; a store that fails loses it. */
  flush(): Promise<void>
  close(): void
}

export function createLastUse(store: Pick<Store, 'touchAuthorizations'>, onFault: (error: unknown) => void): LastUse {
  const noted = new Map<string, number>()
  const flush = async (): Promise<void> => {
    if (noted.size === 0) return
    const batch = new Map(noted)
    noted.clear()
    try {
      await store.touchAuthorizations(batch)
    } catch (error) {
      onFault(error)
    }
  }
  const timer = setInterval(() => void flush(), FLUSH_MS)
  timer.unref()
  return {
    note: (gid, now) => {
      if (noted.size < MOST_NOTED || noted.has(gid)) noted.set(gid, Math.floor(now))
    },
    flush,
    close: () => clearInterval(timer),
  }
}

const RETRY_MS = 1_000
const SWEEP_MS = 60_000

export interface RevocationsOptions {
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Entries have come into force: open tunnels are looked at again. */
  readonly onAdded: (entries: readonly Revocation[]) => void
  /** The store could not be read (a text), or can be again (undefined). */
  readonly onState: (fault: string | undefined) => void
}

/** What is revoked, held in memory so that no request asks the store. */
export interface Revocations {
  readonly size: number
  isRevoked(token: VerifiedToken): boolean
  /** Why an entry may be missing; undefined when none is. */
  unavailable(): string | undefined
  /** Entries that come from elsewhere: a gateway on its own follows a feed. */
  add(entries: readonly Revocation[]): void
  /** Loads what is in force, and keeps up with the store from then on. Rejects when the store can't be read. */
  follow(store: Store): Promise<void>
  close(): void
}

/** An empty table; {@link Revocations.follow} fills it. When the store fails later, `unavailable` says so until it is caught up. */
export function createRevocations(options: RevocationsOptions): Revocations {
  const table = new RevocationTable()
  const stops: (() => void)[] = []
  const sweep = setInterval(() => table.sweep(options.now() / 1_000), SWEEP_MS)
  sweep.unref()
  const state: { fault: string | undefined } = { fault: undefined }
  const say = (fault: string | undefined): void => {
    if (fault === state.fault) return
    state.fault = fault
    options.onState(fault)
  }
  const add = (entries: readonly Revocation[]): void => {
    if (entries.length === 0) return
    table.add(entries)
    options.onAdded(entries)
  }
  return {
    get size() {
      return table.size
    },
    isRevoked: (token) => table.isRevoked(token),
    unavailable: () => state.fault,
    add,
    follow: async (store) => {
      const read = async (): Promise<void> =>
        add(await store.revocations(table.lastId, Math.floor(options.now() / 1_000)))
      const keepUp = createKeepUp(read, say)
      // First listen, then read: an act in between is found twice rather than never.
      stops.push(store.subscribe(keepUp.wake), keepUp.stop)
      await read()
    },
    close: () => {
      clearInterval(sweep)
      for (const stop of stops) stop()
    },
  }
}

/** Reads one at a time; wakes that come meanwhile are joined into one more, and a failure is tried again until it succeeds. */
function createKeepUp(
  read: () => Promise<void>,
  say: (fault: string | undefined) => void,
): { wake: () => void; stop: () => void } {
  const state = { reading: false, again: false, stopped: false }
  let retry: NodeJS.Timeout | undefined
  const wake = (): void => {
    state.again = true
    if (!state.reading) void drain()
  }
  const drain = async (): Promise<void> => {
    state.reading = true
    clearTimeout(retry)
    while (state.again && !state.stopped) {
      state.again = false
      try {
        await read()
        say(undefined)
      } catch (error) {
        if (state.stopped) break
        say(`revocations can't be read: ${error instanceof Error ? error.message : 'unknown'}`)
        retry = setTimeout(wake, RETRY_MS)
        retry.unref()
        break
      }
    }
    state.reading = false
  }
  const stop = (): void => {
    state.stopped = true
    clearTimeout(retry)
  }
  return { wake, stop }
}
