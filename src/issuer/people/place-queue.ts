import type { AddressGroup } from '../../core/address.ts'
import { Rounds } from './rounds.ts'

/** More than open connections can make wait; beyond it newcomers are told to come later. */
const MOST_WAITING = 16_384

/** Who wants a place. */
export interface Candidate {
  readonly group: AddressGroup
  /** Whether whoever asks has failed before. */
  readonly tried: boolean
  /** Whether nobody waits for the answer any more. */
  readonly left: () => boolean
}

/** Places that are waited for, not refused. */
export interface PlaceQueue {
  /**
   * Resolves when `candidate` has one of the `places` of `key`, with what gives it back; 'full' when too many wait, or nobody waits for
   * this one any more. @param onePerGroup an address group has at most one of the places.
   */
  take(key: string, candidate: Candidate, places: number, onePerGroup: boolean): Promise<(() => void) | 'full'>
}

interface Waiter {
  readonly candidate: Candidate
  readonly resolve: (giveBack: (() => void) | 'full') => void
}

interface Gate {
  readonly waiting: Rounds<Waiter>
  /** How many places each wide group has. */
  readonly busy: Map<string, number>
  places: number
  onePerGroup: boolean
  running: number
}

/** Places within this process. Holds a key only while somebody has or wants one of its places. */
export function createPlaceQueue(mostWaiting = MOST_WAITING): PlaceQueue {
  const gates = new Map<string, Gate>()
  const total = (): number => [...gates.values()].reduce((sum, { waiting }) => sum + waiting.size, 0)
  const state = { waiting: 0 }

  const giveBack = (key: string, gate: Gate, wide: string): void => {
    gate.running -= 1
    const left = (gate.busy.get(wide) ?? 1) - 1
    if (left > 0) gate.busy.set(wide, left)
    else gate.busy.delete(wide)
    gate.waiting.moveBack(wide)
    serve(key, gate)
  }
  const serve = (key: string, gate: Gate): void => {
    while (gate.running < gate.places) {
      const next = gate.waiting.next((wide) => !gate.onePerGroup || !gate.busy.has(wide))
      if (next === undefined) break
      state.waiting -= 1
      if (next.candidate.left()) next.resolve('full')
      else {
        const { wide } = next.candidate.group
        gate.running += 1
        gate.busy.set(wide, (gate.busy.get(wide) ?? 0) + 1)
        next.resolve(() => giveBack(key, gate, wide))
      }
    }
    if (gate.running === 0 && gate.waiting.size === 0) gates.delete(key)
  }
  const clear = (): void => {
    for (const { waiting } of gates.values()) waiting.drop((waiter) => waiter.candidate.left() && gone(waiter))
    state.waiting = total()
  }

  return {
    take: (key, candidate, places, onePerGroup) => {
      if (state.waiting >= mostWaiting) clear()
      if (state.waiting >= mostWaiting) return Promise.resolve('full')
      const gate = gates.get(key) ?? { waiting: new Rounds(), busy: new Map(), places, onePerGroup, running: 0 }
      Object.assign(gate, { places, onePerGroup })
      gates.set(key, gate)
      return new Promise((resolve) => {
        gate.waiting.add(candidate.group, { candidate, resolve }, candidate.tried)
        state.waiting += 1
        serve(key, gate)
      })
    },
  }
}

function gone({ resolve }: Waiter): true {
  resolve('full')
  return true
}
