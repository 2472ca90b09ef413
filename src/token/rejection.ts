import type { TokenFault } from '../core/reason.ts'
import type { Evidence } from '../core/token.ts'

export type Rejection = Extract<Evidence, { kind: 'rejected' }>
export type Unavailable = Extract<Evidence, { kind: 'unavailable' }>

/** Evidence that a credential is not good. `detail` reaches the client: it says what to do and repeats nothing secret. */
export function rejected(fault: TokenFault, detail: string): Rejection {
  return { kind: 'rejected', fault, detail }
}

/** Evidence that nobody can tell now. */
export function unavailable(detail: string, retryAfterSeconds: number): Unavailable {
  return { kind: 'unavailable', detail, retryAfterSeconds }
}
