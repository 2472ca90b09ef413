import type { Route } from './route.ts'
import type { VerifiedToken } from './token.ts'

declare const permitted: unique symbol

/** That this request may go to its route's upstream. Only `decide` makes one; forwarding takes one. */
export interface Permit {
  readonly [permitted]: true
  readonly route: Route
  /** Undefined on public routes and paths. */
  readonly token: VerifiedToken | undefined
}
