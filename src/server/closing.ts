type Close = () => void | Promise<void>

/** What has to be closed again, last opened first. */
export interface Closing {
  add(close: Close): void
  /** Closes everything once; a part that fails doesn't keep the others open. Answers the failures. */
  run(): Promise<readonly unknown[]>
}

export function createClosing(): Closing {
  const opened: Close[] = []
  return {
    add: (close) => void opened.push(close),
    run: async () => {
      const failures: unknown[] = []
      for (let close = opened.pop(); close !== undefined; close = opened.pop()) {
        try {
          await close()
        } catch (error) {
          failures.push(error)
        }
      }
      return failures
    },
  }
}
