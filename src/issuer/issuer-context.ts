import type { Resource } from '../core/resource.ts'
import type { Store } from '../store/store.ts'
import type { Acts } from './acts.ts'
import type { IssuerEvent, IssuerSettings } from './issuer.ts'
import type { Passwords } from './passwords.ts'
import type { SignIn } from './throttle.ts'
import type { Buckets } from './throttle-buckets.ts'

/** What the parts of the issuer share. Settings are read at each use, so that a reload holds for the next request. */
export interface IssuerContext {
  readonly settings: () => IssuerSettings
  readonly store: Store
  readonly acts: Acts
  readonly masterKey: Buffer
  readonly registrationToken: string | undefined
  /** Milliseconds. */
  readonly now: () => number
  /** Shared, so that its bound on how much is hashed at once holds for all. */
  readonly passwords: Passwords
  readonly signIn: SignIn
  readonly buckets: Buckets
  /** Fetches what a stranger named. */
  readonly fetchDocument: (url: string) => Promise<Response>
  /** Keeps an audit line and tells the log. Never a token, code, password or secret in `detail`. */
  readonly record: (
    event: string,
    detail: Readonly<Record<string, unknown>>,
    level?: IssuerEvent['level'],
  ) => Promise<void>
  /** Tells the log alone: for what an act has kept already. */
  readonly tell: (event: string, detail: Readonly<Record<string, unknown>>, level?: IssuerEvent['level']) => void
}

/** NumericDate, seconds. */
export function seconds(context: Pick<IssuerContext, 'now'>): number {
  return Math.floor(context.now() / 1000)
}

/** What people see in the address bar: host, with its port where it has one. */
export function siteOf(context: Pick<IssuerContext, 'settings'>): string {
  return new URL(context.settings().origin).host
}

export function resourceById(resources: readonly Resource[], identifier: string): Resource | undefined {
  return resources.find((resource) => resource.identifier === identifier)
}
