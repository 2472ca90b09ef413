import type { Denial } from '../core/denial.ts'
import type { ResolvedClient } from '../core/headers/forwarded.ts'
import type { Presented } from '../core/presented.ts'
import type { Route, Upstream } from '../core/route.ts'
import type { Policy } from './policy.ts'

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

/** What a connection's field lines say of where a request comes from and goes, whatever its target; for one policy. */
export interface Origin {
  readonly policy: Policy
  readonly peerAddress: string
  readonly tls: boolean
  readonly client: ResolvedClient
  /** The Host field as it came. */
  readonly hostHeader: string
  /** Of the Host field; undefined when the request is refused. */
  readonly host: string | undefined
  readonly denial: Denial | undefined
}

/** The lines for an upstream that stay the same while a connection's field lines do, and what they were made for. */
export interface UpstreamLines {
  readonly policy: Policy
  readonly route: Route
  readonly upstream: Upstream
  /** For a request with a token; one without keeps an Authorization of another scheme. */
  readonly identified: boolean
  readonly lines: string
  readonly addsRequestId: boolean
}

/** What the field lines show of who it is, at one route. */
export interface Shown {
  readonly policy: Policy
  readonly route: Route
  /** Undefined where the token is not among the lines: it is another each time. */
  readonly presented: Presented | undefined
  /** The gateway's own field is among the lines. */
  readonly hasOwnField: boolean
  readonly session: ShownSession
}

/** A browser's cookie. `foreign`: it came along with a request that somebody else's page made. */
export type ShownSession =
  | { readonly kind: 'none' }
  | { readonly kind: 'foreign' }
  | { readonly kind: 'cookie'; readonly idHash: string; readonly origin: string }

/** What was worked out about field lines that came before on the same connection. Whoever reads a slot checks what it was made for. */
export class FieldsMemo {
  origin: Origin | undefined
  upstreamLines: UpstreamLines | undefined
  shown: Shown | undefined
}
