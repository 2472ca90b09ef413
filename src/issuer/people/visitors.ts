/** Visitors that failed lately; more are forgotten, oldest first. */
const MOST_VISITORS = 10_000

/** One try of a visitor, from its coming to its answer. */
interface Visit {
  /** Whether this visitor has failed before, or has another try in line that somebody waits for. */
  readonly tried: boolean
  /** Must be called whatever comes. */
  end(failed: boolean): void
}

/** Who has had a turn, so that others come first. A visitor is what tells one browser of an address from another; '' is nobody. */
export interface Visitors {
  /** @param left whether nobody waits for this try's answer any more. */
  begin(visitor: string, left: () => boolean): Visit
}

/**
 * Visitors of this process. A try counts from its coming: who sends the next without waiting for an answer would else be new each time. One
 * that was left does not: a browser whose button was pressed twice leaves the first.
 */
export function createVisitors(most = MOST_VISITORS): Visitors {
  const failed = new Set<string>()
  const underWay = new Map<string, () => boolean>()
  return {
    begin: (visitor, left) => {
      if (visitor === '') return { tried: false, end: () => undefined }
      const tried = failed.has(visitor) || underWay.get(visitor)?.() === false
      underWay.set(visitor, left)
      return {
        tried,
        end: (hasFailed) => {
          if (underWay.get(visitor) === left) underWay.delete(visitor)
          if (!hasFailed) return
          failed.delete(visitor)
          failed.add(visitor)
          if (failed.size > most) for (const oldest of failed) if (failed.delete(oldest)) break
        },
      }
    },
  }
}
