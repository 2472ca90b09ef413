import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Authentication } from './attempt-records.ts'

/** Why somebody is not let in; the page, the log and the metrics say the same word. */
export type SignInReason =
  | 'provider_unreachable'
  | 'provider_misconfigured'
  | 'state_mismatch'
  | 'id_token_invalid'
  | 'not_allowed'
  | 'name_taken'
  | 'groups_overage'
  | 'reauthentication_not_proven'
  | 'denied_by_provider'

/** Somebody who was let in by a provider. */
export interface ProviderLogin {
  readonly sub: string
  readonly signIn: string
  readonly authentication: Authentication
}

/** One request to the endpoints of a provider. */
export interface ProviderRequest {
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

/** What waits for people who come back from a provider: each method answers the request. */
export interface Landing {
  /** Goes on with the authorization or device that waits; false, and nothing answered, when it waits no more. */
  interaction(call: ProviderRequest, uid: string, login: ProviderLogin): Promise<boolean>
  /** Tells the client that nobody could be shown to have signed in anew. */
  unproven(call: ProviderRequest, uid: string): Promise<boolean>
  /** Back to the sign-in page, which says what was wrong. */
  problem(call: ProviderRequest, uid: string | undefined, reason: SignInReason): void
  /** Signs the browser in and leads to the account page. */
  account(call: ProviderRequest, login: ProviderLogin): Promise<void>
  /** Back to the account page, which says what became of a further way in. */
  connected(
    call: ProviderRequest,
    outcome: 'linked' | 'known' | 'other_account' | 'account_linked',
    provider: string,
    sub: string,
  ): void
  /** Who the browser is signed in as; undefined: nobody. */
  session(call: ProviderRequest): Promise<{ readonly uid: string; readonly sub: string } | undefined>
}
