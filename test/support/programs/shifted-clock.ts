const real = Date.now

/** The clock of this process, moved on as a test wants: everything that asks for the time within it sees the same. */
export interface ShiftedClock {
  /** Milliseconds. */
  forward(ms: number): void
  restore(): void
}

export function shiftClock(): ShiftedClock {
  const state = { ms: 0 }
  Date.now = () => real() + state.ms
  return {
    forward: (ms) => {
      state.ms += ms
    },
    restore: () => {
      Date.now = real
    },
  }
}

export const MINUTE = 60_000
export const HOUR = 60 * MINUTE
