import { type Decision, type DecisionFilter, fits, isKnown } from './decision.ts'

const KNOWN = 5_000
const UNKNOWN = 2_000
const PASSES = 1_000
/** Events that wait for one listener. */
const MOST_WAITING = 1_000
const MOST_LISTENERS = 10
const MOST_OF_ONE = 2
const NUMBERS_OF_A_MILLISECOND = 100

/** What a listener is given. */
export type Told =
  | { readonly kind: 'decision'; readonly decision: Numbered }
  /** So many were left out: it reads too slowly. */
  | { readonly kind: 'gap'; readonly missed: number }

interface Numbered {
  /** Ascending in the order of arrival. */
  readonly number: number
  readonly decision: Decision
}

export interface Listener {
  /** What waits, at most `most`. */
  take(most: number): readonly Told[]
  close(): void
}

interface ListenOptions {
  readonly by: string
  readonly filter: DecisionFilter
  /** Begins with what is kept after this number; undefined: with what comes. */
  readonly after: number | undefined
  /** Something waits. */
  readonly wake: () => void
}

/** Decisions in memory: strangers' push out strangers' only, passes are taken in only while somebody looks. */
export interface DecisionBook {
  add(decisions: readonly Decision[]): void
  find(requestId: string): Decision | undefined
  /** Newest first, those that came before `number`. */
  list(filter: DecisionFilter, before: number, limit: number): readonly Numbered[]
  /** Since when all that was refused is kept, milliseconds since the epoch. */
  readonly keptSince: number
  readonly watched: boolean
  onWatched(listener: (watched: boolean) => void): void
  /** Undefined: too many listen already. */
  listen(options: ListenOptions): Listener | undefined
}

interface Waiting {
  readonly options: ListenOptions
  /** Of what is kept, what comes after this number and up to `joined` is still to be told: looked up when it is read, held by nobody. */
  position: number
  readonly joined: number
  readonly queue: Told[]
  missed: number
}

/** @param now Milliseconds since the epoch. */
export function createDecisionBook(now: () => number): DecisionBook {
  const known = new Ring<Numbered>(KNOWN)
  const unknown = new Ring<Numbered>(UNKNOWN)
  const passes = new Ring<Numbered>(PASSES)
  const byId = new Map<string, Numbered>()
  const waiting = new Set<Waiting>()
  const watchers: ((watched: boolean) => void)[] = []
  // Numbers go on ascending over a restart: what a listener has seen of the process before is below all of this one's.
  const first = Math.floor(now()) * NUMBERS_OF_A_MILLISECOND
  const state = { number: first, keptSince: now() }
  const ringOf = (decision: Decision): Ring<Numbered> => {
    if (decision.outcome === 'ok' || decision.outcome === 'client_closed') return passes
    return isKnown(decision) ? known : unknown
  }
  const addOne = (decision: Decision): void => {
    state.number += 1
    const numbered = { number: state.number, decision }
    const ring = ringOf(decision)
    const old = ring.add(numbered)
    byId.set(decision.requestId, numbered)
    if (old !== undefined && byId.get(old.decision.requestId) === old) byId.delete(old.decision.requestId)
    if (old !== undefined && ring === known) state.keptSince = Math.max(state.keptSince, old.decision.at)
    for (const each of waiting) tell(each, numbered)
  }
  return {
    add: (decisions) => {
      for (const decision of decisions) addOne(decision)
    },
    find: (requestId) => byId.get(requestId)?.decision,
    list: (filter, before, limit) => newestOf([known, unknown, passes], filter, before, limit),
    get keptSince() {
      return state.keptSince
    },
    get watched() {
      return waiting.size > 0
    },
    onWatched: (listener) => void watchers.push(listener),
    listen: (options) => {
      const own = [...waiting].filter((each) => each.options.by === options.by).length
      if (waiting.size >= MOST_LISTENERS || own >= MOST_OF_ONE) return undefined
      const { after = state.number } = options
      // Another process's number that is above this one's says nothing of what has been seen of this one.
      const position = after > state.number ? first : after
      const each: Waiting = { options, position, joined: state.number, queue: [], missed: 0 }
      waiting.add(each)
      if (waiting.size === 1) for (const watcher of watchers) watcher(true)
      return {
        take: (most) => keptFor(each, [known, unknown, passes], most) ?? taken(each, most),
        close: () => {
          if (waiting.delete(each) && waiting.size === 0) for (const watcher of watchers) watcher(false)
        },
      }
    },
  }
}

function tell(each: Waiting, numbered: Numbered): void {
  if (!fits(numbered.decision, each.options.filter)) return
  if (each.queue.length >= MOST_WAITING) {
    each.missed += 1
    return
  }
  each.queue.push({ kind: 'decision', decision: numbered })
  each.options.wake()
}

function taken(each: Waiting, most: number): readonly Told[] {
  const batch = each.queue.splice(0, most)
  if (each.queue.length > 0 || each.missed === 0) return batch
  const { missed } = each
  each.missed = 0
  return [...batch, { kind: 'gap', missed }]
}

/** The next of what was kept already when it began to listen; undefined: it has it all. */
function keptFor(each: Waiting, rings: readonly Ring<Numbered>[], most: number): readonly Told[] | undefined {
  const { position, joined, options } = each
  if (position >= joined) return undefined
  const kept = rings
    .flatMap((ring) => [...ring.newest()])
    .filter(({ number, decision }) => number > position && number <= joined && fits(decision, options.filter))
    .sort((a, b) => a.number - b.number)
    .slice(0, most)
  each.position = kept.length < most ? joined : (kept.at(-1)?.number ?? joined)
  return kept.length === 0 ? undefined : kept.map((decision) => ({ kind: 'decision', decision }))
}

function newestOf(
  rings: readonly Ring<Numbered>[],
  filter: DecisionFilter,
  before: number,
  limit: number,
): readonly Numbered[] {
  const found = rings.flatMap((ring) => {
    const some: Numbered[] = []
    for (const numbered of ring.newest()) {
      if (some.length >= limit) break
      if (numbered.number < before && fits(numbered.decision, filter)) some.push(numbered)
    }
    return some
  })
  return found.sort((a, b) => b.number - a.number).slice(0, limit)
}

/** The newest so many of something, with what was pushed out counted. */
class Ring<T> {
  readonly #items: (T | undefined)[]
  #next = 0
  #dropped = 0

  constructor(size: number) {
    this.#items = Array.from({ length: size })
  }

  get dropped(): number {
    return this.#dropped
  }

  /** Answers what it pushed out. */
  add(item: T): T | undefined {
    const old = this.#items[this.#next]
    if (old !== undefined) this.#dropped += 1
    this.#items[this.#next] = item
    this.#next = (this.#next + 1) % this.#items.length
    return old
  }

  /** Newest first. */
  *newest(): Generator<T> {
    const size = this.#items.length
    for (let back = 1; back <= size; back += 1) {
      const item = this.#items[(this.#next - back + size) % size]
      if (item === undefined) return
      yield item
    }
  }
}
