import type { Permit } from '../core/decide.ts'

/** Something that must happen before `deadline`, a time of the clock in milliseconds; Infinity: no limit now. */
export interface Watched {
  deadline: number
  /** Where it stands among the watched; -1: nowhere. Belongs to {@link Deadlines}. */
  slot: number
  onDeadline(now: number): void
  /** Whether it goes on by a permit that is over. */
  permitIsOver?(isOver: (permit: Permit) => boolean): boolean
  /** Ends it at once where more of its request would go upstream; false: all of that is there, and an answer may be about to end. */
  overtake?(): boolean
  /** Ends it, where it has not ended. */
  abort?(): void
}

/** How often deadlines are looked at: they are kept to within this, one timer for all instead of one for each request. */
const TICK_MS = 100
/** An answer that was allowed and is about to end is not torn; one that would go on is broken off after so long. */
const LAST_WORDS_MS = 500

/** One coarse timer for many deadlines. It runs while something is watched and never keeps the process alive. */
export class Deadlines {
  readonly #clock: () => number
  readonly #onTick: (now: number) => boolean
  readonly #watched: Watched[] = []
  #timer: NodeJS.Timeout | undefined

  /** @param onTick Called at each tick; true keeps the timer running although nothing is watched. */
  constructor(clock: () => number, onTick: (now: number) => boolean) {
    this.#clock = clock
    this.#onTick = onTick
  }

  watch(item: Watched): void {
    if (item.slot !== -1) return
    item.slot = this.#watched.length
    this.#watched.push(item)
    this.run()
  }

  unwatch(item: Watched): void {
    const { slot } = item
    const last = this.#watched.at(-1)
    if (slot === -1 || last === undefined) return
    item.slot = -1
    this.#watched.pop()
    if (last === item) return
    last.slot = slot
    this.#watched[slot] = last
  }

  get size(): number {
    return this.#watched.length
  }

  /** Ends what was permitted and is over, answers within {@link LAST_WORDS_MS}; answers how much. */
  endIf(isOver: (permit: Permit) => boolean): number {
    const over = this.#watched.filter((item) => item.permitIsOver?.(isOver) === true)
    const answering = over.filter((item) => item.overtake?.() !== true)
    const end = (): void => {
      for (const item of answering) item.abort?.()
    }
    if (answering.length > 0) setTimeout(end, LAST_WORDS_MS).unref()
    return over.length
  }

  /** Starts the timer where it rests. */
  run(): void {
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS).unref()
  }

  #tick(): void {
    const now = this.#clock()
    for (let i = this.#watched.length - 1; i >= 0; i--) {
      const item = this.#watched[i]
      if (item !== undefined && item.deadline <= now) item.onDeadline(now)
    }
    if (this.#onTick(now) || this.#watched.length > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
