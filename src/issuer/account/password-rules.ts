import type { UserRecord } from '../../store/store.ts'
import { type IssuerContext, siteOf } from '../context.ts'
import type { PasswordRules } from '../people/password-judgement.ts'

/** The fewest characters of a password beside a second factor. */
const BESIDE_ANOTHER = 8

/** What a person's password is judged by. @param beside whether there is a second factor. */
export function passwordRules(context: IssuerContext, user: UserRecord, beside: boolean): PasswordRules {
  return { min: shortestPassword(context, beside), names: passwordNames(context, user) }
}

/** The fewest characters of a new password. @param beside whether there is a second factor. */
export function shortestPassword({ settings }: IssuerContext, beside: boolean): number {
  return beside ? BESIDE_ANOTHER : settings().passwordMin
}

/** Names that a password must not be little more than. */
export function passwordNames(context: IssuerContext, { username, displayName, email }: UserRecord): readonly string[] {
  return [username, displayName ?? '', email ?? '', siteOf(context), 'audgate']
}
