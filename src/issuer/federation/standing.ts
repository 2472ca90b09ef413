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
