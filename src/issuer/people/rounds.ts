import type { AddressGroup } from '../../core/address.ts'

interface Waiting<T> {
  readonly fresh: T[]
  readonly tried: T[]
  /** Whether the newest was served last: the one before it is next. */
  second: boolean
}

/**
 * What waits, shared out round by round: over wide address groups, and over the narrow ones of each. Within a narrow one whoever has not
 * failed yet comes before those who have, and of these the newest and the second newest by turns: an attacker with many connections sends
 * each next try only after an answer, so the person who comes in between is not behind all of them, nor kept out by one newcomer a turn.
 */
export class Rounds<T> {
  readonly #wide = new Map<string, Map<string, Waiting<T>>>()
  #size = 0

  get size(): number {
    return this.#size
  }

  /** @param tried whether the one who waits has failed before. */
  add({ wide, narrow }: AddressGroup, item: T, tried: boolean): void {
    const links = this.#wide.get(wide) ?? new Map<string, Waiting<T>>()
    const waiting = links.get(narrow) ?? { fresh: [], tried: [], second: false }
    this.#wide.set(wide, links.set(narrow, waiting))
    waiting[tried ? 'tried' : 'fresh'].push(item)
    this.#size += 1
  }

  /** The next one, of a wide group that `mayGo` lets through; undefined: none. */
  next(mayGo: (wide: string) => boolean): T | undefined {
    for (const [wide, links] of this.#wide) {
      if (!mayGo(wide)) continue
      this.#wide.delete(wide)
      const item = takeFrom(links)
      if (links.size > 0) this.#wide.set(wide, links)
      this.#size -= 1
      return item
    }
    return undefined
  }

  /** Whoever of this wide group waits is behind all other groups: it has just been served. */
  moveBack(wide: string): void {
    const links = this.#wide.get(wide)
    if (links !== undefined && this.#wide.delete(wide)) this.#wide.set(wide, links)
  }

  /** Takes out what `isGone` says is not waited for any more. */
  drop(isGone: (item: T) => boolean): void {
    for (const [wide, links] of this.#wide) {
      for (const [narrow, waiting] of links) {
        for (const line of [waiting.fresh, waiting.tried]) {
          const kept = line.filter((item) => !isGone(item))
          this.#size -= line.length - kept.length
          line.splice(0, line.length, ...kept)
        }
        if (isEmpty(waiting)) links.delete(narrow)
      }
      if (links.size === 0) this.#wide.delete(wide)
    }
  }
}

/** Maps keep the order of insertion: who was served goes to the end. */
function takeFrom<T>(links: Map<string, Waiting<T>>): T | undefined {
  for (const [narrow, waiting] of links) {
    links.delete(narrow)
    const item = takeNew(waiting) ?? waiting.tried.pop()
    if (!isEmpty(waiting)) links.set(narrow, waiting)
    return item
  }
  return undefined
}

function takeNew<T>(waiting: Waiting<T>): T | undefined {
  const { fresh, second } = waiting
  waiting.second = !second
  return second && fresh.length > 1 ? fresh.splice(-2, 1)[0] : fresh.pop()
}

function isEmpty<T>({ fresh, tried }: Waiting<T>): boolean {
  return fresh.length + tried.length === 0
}
