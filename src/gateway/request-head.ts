import type { FieldsMemo } from './remembered.ts'

/** What a request asks, before anybody has judged it. Whoever reads requests makes it; `explain` makes one from its arguments. */
export interface RequestHead {
  readonly method: string
  /** The request target as received. */
  readonly target: string
  readonly rawHeaders: readonly string[]
  /**
   * The token, where it was told from the fields already: they have one Authorization field, which is `Bearer <token>`, and the token is not in
   * `rawHeaders`. NOT judged to be of a token's grammar. Undefined: `rawHeaders` say it.
   */
  readonly bearer?: string | undefined
  /** Belongs to all requests of a connection that have the same `rawHeaders`. */
  readonly memo?: FieldsMemo
  /** `1.1`, say. */
  readonly httpVersion: string
  /** '' for a peer that is gone already. */
  readonly peerAddress: string
  readonly tls: boolean
}
