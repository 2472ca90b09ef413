import type { Timeouts, Upstream } from '../core/route.ts'
import type { AnswerRules } from './client-answer.ts'
import type { UpstreamGroup, UpstreamMember } from './upstreams.ts'

/** A request in one upstream's terms. */
export interface UpstreamRequest {
  /** Origin-form. */
  readonly target: string
  /** Raw pairs, Host included; final but for framing, which is added, and without `Connection`. Or the same as `renderFieldLines` made it. */
  readonly headers: readonly string[] | string
}

export interface ForwardInput extends UpstreamRequest, AnswerRules {
  readonly method: string
  /** Made once per route. */
  readonly upstreams: UpstreamGroup
  /** The one that `target` and `headers` are for, as `upstreams.choose()` gave it. */
  readonly member: UpstreamMember
  /** The same request for another upstream of the group; undefined: it can't go elsewhere. */
  towards(upstream: Upstream): UpstreamRequest | undefined
  /** Whether what permitted it still does. Asked before bytes go to an upstream, when time has passed since it was judged. */
  stands(): boolean
  /** The upstream is there, and the body is about to be read. */
  onBodyWanted(): void
  readonly timeouts: Timeouts
  /** Bytes of the body; undefined: no limit. */
  readonly maxBody: number | undefined
}
