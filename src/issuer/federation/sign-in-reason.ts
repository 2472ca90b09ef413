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
