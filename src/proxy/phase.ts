/** How far an exchange is. `finishing`: the upstream is done, and the client takes what is left. */
export type Phase = 'connecting' | 'sending' | 'waiting' | 'receiving' | 'finishing' | 'settled'

/** Who is to blame when nothing went on for too long: it is tried elsewhere, or the upstream failed, or the client is left. */
interface Stillness {
  readonly ends: 'attempt' | 'upstream' | 'client'
  /** For the log. */
  readonly detail: string
}

/**
 * What an exchange ends by whose time is over; undefined: it has ended.
 * @param blocked The upstream takes no more of the body. @param paused The client takes no more of the answer.
 */
export function stillnessIn(phase: Phase, blocked: boolean, paused: boolean): Stillness | undefined {
  switch (phase) {
    case 'connecting':
      return { ends: 'attempt', detail: 'connect: no connection in time' }
    case 'sending':
      if (blocked) return { ends: 'upstream', detail: 'idle: it takes no more of the body' }
      return { ends: 'client', detail: 'idle: no more of the body came' }
    case 'waiting':
      return { ends: 'upstream', detail: 'headers: the request was sent whole and not answered' }
    case 'receiving':
      if (paused) return { ends: 'client', detail: 'idle: the answer was not taken' }
      return { ends: 'upstream', detail: 'idle: no more of the answer came' }
    case 'finishing':
      return { ends: 'client', detail: 'idle: the answer was not taken' }
    case 'settled':
      return undefined
  }
}

/** What becomes of an exchange whose permit is over. */
type Overtaking =
  /** It may begin anew, where it is permitted again: nothing of it is lost. */
  | 'anew'
  /** It is refused: its upstream has a part of it. */
  | 'refused'
  /** Its upstream has all of it, or will get no more: an answer may be about to end. */
  | 'answering'

/** @param upgrade What it waits for might be a tunnel, which has no end. */
export function overtakingIn(phase: Phase, upgrade: boolean): Overtaking {
  switch (phase) {
    case 'connecting':
      return 'anew'
    case 'sending':
      return 'refused'
    case 'waiting':
      return upgrade ? 'refused' : 'answering'
    case 'receiving':
    case 'finishing':
    case 'settled':
      return 'answering'
  }
}
