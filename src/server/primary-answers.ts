/** Answers that several workers owe to one question. */
export interface Answers {
  /**
   * Asks and resolves with those that did not answer in time. @param ask Sends the question under the number that it is given.
   */
  gather(workers: ReadonlySet<number>, withinMs: number, ask: (ask: number) => void): Promise<ReadonlySet<number>>
  /** `worker` has answered. */
  settle(ask: number, worker: number): void
  /** It will not answer any more. */
  leave(worker: number): void
}

interface Question {
  readonly owing: Set<number>
  readonly done: () => void
}

export function createAnswers(): Answers {
  const open = new Map<number, Question>()
  const state = { asks: 0 }
  const strike = ({ owing, done }: Question, worker: number): void => {
    if (owing.delete(worker) && owing.size === 0) done()
  }
  return {
    gather: (workers, withinMs, send) =>
      new Promise((resolve) => {
        state.asks += 1
        const ask = state.asks
        const owing = new Set(workers)
        const done = (): void => {
          clearTimeout(timer)
          open.delete(ask)
          resolve(owing)
        }
        const timer = setTimeout(done, withinMs)
        open.set(ask, { owing, done })
        send(ask)
        if (owing.size === 0) done()
      }),
    settle: (ask, worker) => {
      const question = open.get(ask)
      if (question !== undefined) strike(question, worker)
    },
    leave: (worker) => {
      for (const question of open.values()) strike(question, worker)
    },
  }
}
