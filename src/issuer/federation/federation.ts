import type { IncomingMessage, ServerResponse } from 'node:http'
import type { IdentityProvider } from '../../core/identity-provider.ts'
import type { ProviderLink } from '../../store/provider-store.ts'
import type { Purpose } from './attempt-records.ts'
import type { Landing, ProviderRequest, SignInReason } from './landing.ts'

/** Where a question came from; for the audit. */
export type AskSource = 'sign_in' | 'refresh' | 'background' | 'logout'

/** What a sign-in by a provider is worth at this moment. */
export type Standing =
  /** It was none of a provider: the account alone counts. */
  | { readonly kind: 'own' }
  | { readonly kind: 'good'; readonly groups: readonly string[]; readonly provider: string; readonly signIn: string }
  | { readonly kind: 'ended' }
  /** The provider has been silent for too long; nothing may be given, and nothing is over. */
  | { readonly kind: 'unavailable'; readonly retryAfterSeconds: number }

/** What the application asked of the sign-in. */
export interface SignInWish {
  readonly loginHint: string | undefined
  /** `prompt=login`: the person has to show themselves anew. */
  readonly fresh: boolean
  /** How old the sign-in may be, to be shown by the provider's `auth_time`. Seconds. */
  readonly maxAge: number | undefined
  /** How old it had better be: the provider is asked, and whatever it answers is taken. Seconds. */
  readonly hopedAge?: number | undefined
}

export const NO_WISH: SignInWish = { loginHint: undefined, fresh: false, maxAge: undefined }

export type Departure =
  | { readonly kind: 'go'; readonly url: string }
  | { readonly kind: 'refused'; readonly reason: SignInReason }

/** Signing in with the providers of routes.yaml, and what became of those who did. */
export interface Federation {
  /** Answers a request to `/oauth/providers/<id>/…`. */
  answer(landing: Landing, asked: ProviderRequest): Promise<void>
  /** For the buttons: the one that this browser used last comes first. */
  choices(request: IncomingMessage): readonly IdentityProvider[]
  /** Begins a sign-in; undefined: there is no such provider. */
  depart(
    request: IncomingMessage,
    response: ServerResponse,
    provider: string,
    purpose: Purpose,
    wish: SignInWish,
  ): Promise<Departure | undefined>
  /** What the sign-in behind an authorization is worth now; its provider is asked when its word is too old. */
  standingOfAuthorization(gid: string, source: AskSource): Promise<Standing>
  /** The same for a browser session. @param uid the session's. */
  standingOfSession(uid: string, source: AskSource): Promise<Standing>
  /** What was last heard of a browser session's sign-in; nobody is asked. */
  lastOfSession(uid: string): Promise<Standing>
  /** The same of the sign-in behind an authorization. */
  lastOfAuthorization(gid: string): Promise<Standing>
  /** Takes an identity from its account, with everything that came from it. @param why for the audit. */
  unlink(link: ProviderLink, why: Readonly<Record<string, unknown>>): Promise<void>
  /** Where to sign out at the provider too; undefined: here only. @param next where to come back to, with `state`. */
  signOutUrl(uid: string, next: string, state?: string): Promise<string | undefined>
  /** For the metrics: of each provider, since when the longest unasked live sign-in was not asked. Seconds. */
  ages(): Promise<ReadonlyMap<string, number>>
  /** Looks in the background, soon, after those who may have to be asked for. */
  wake(): void
  /** The same, answered when it is done. */
  look(): Promise<void>
  /** A new file is in force. */
  reconfigured(): Promise<void>
  close(): Promise<void>
}
