import type { Resource } from '../core/resource.ts'
import { type Store, StoreError } from '../store/store.ts'
import type { AuditTrail } from './audit-trail.ts'
import type { SecretUses } from './clients/client-secrets.ts'
import type { DocumentSource } from './clients/document-source.ts'
import type { Federation } from './federation/federation.ts'
import type { IssuerSettings } from './issuer.ts'
import type { Buckets } from './people/buckets.ts'
import type { Passkeys } from './people/passkeys.ts'
import type { Passwords } from './people/passwords.ts'
import type { SecondFactors } from './people/second-factors.ts'
import type { StepUps } from './people/step-ups.ts'
import type { SignIn } from './people/throttle.ts'
import type { RevocationActs } from './revocation-acts.ts'
import type { RowBudget } from './row-budget.ts'

/** What may be told of a fault: never what a client sent. */
export function faultOf(error: unknown): Readonly<Record<string, unknown>> {
  if (!(error instanceof Error)) return { fault: 'unknown' }
  const hint = error instanceof StoreError ? { hint: error.hint } : {}
  return { fault: error.name, message: error.message, ...hint }
}

/** What the parts of the issuer share. Settings are read at each use, so that a reload holds for the next request. */
export interface IssuerContext {
  readonly settings: () => IssuerSettings
  readonly store: Store
  readonly acts: RevocationActs
  readonly masterKey: Buffer
  readonly registrationToken: string | undefined
  /** Milliseconds. */
  readonly now: () => number
  /** Why no token, code or session may be issued now; undefined: they may. */
  readonly cannotIssue: () => string | undefined
  /** Shared, so that its bound on how much is hashed at once holds for all. */
  readonly passwords: Passwords
  readonly signIn: SignIn
  readonly buckets: Buckets
  readonly stepUps: StepUps
  readonly secondFactors: SecondFactors
  readonly secretUses: SecretUses
  readonly passkeys: Passkeys
  /** What strangers may fill of the store. */
  readonly rowBudget: RowBudget
  readonly federation: Federation
  /** Documents that strangers named. */
  readonly documents: DocumentSource
  /** Keeps an audit line and tells the log. Never a token, code, password or secret in `detail`. */
  readonly record: AuditTrail['record']
  /** Tells the log alone: for what an act has kept already. */
  readonly tell: AuditTrail['tell']
  readonly trail: AuditTrail
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
