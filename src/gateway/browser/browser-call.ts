import type { Answer } from '../../core/answer.ts'
import type { Denial } from '../../core/denial.ts'
import type { ReservedRequest } from '../call.ts'
import type { BackChannel } from '../credentials/back-channel.ts'
import type { Credentials } from '../credentials/credentials.ts'

export interface BrowserEndpointOptions {
  readonly credentials: Credentials
  readonly backChannel: BackChannel
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** One request to an endpoint, and what it is answered with. */
export interface BrowserCall extends BrowserEndpointOptions {
  readonly reserved: ReservedRequest
}

/** What an endpoint says: an answer, or why not. */
export type BrowserAnswer =
  | { readonly answer: Answer; readonly denial?: Denial }
  | { readonly denial: Denial; readonly answer?: never }
