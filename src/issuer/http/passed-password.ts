import { createHash } from 'node:crypto'
import type { UserRecord } from '../../store/store.ts'
import type { IssuerContext } from '../context.ts'
import { seal, unseal } from '../keys/sealing.ts'

/** The hidden field of a code page: that a right password came before. */
export const PASSED_FIELD = 'passed'

const PURPOSE = 'passed password'
const LASTS_MS = 5 * 60_000

/** Says for five minutes, to the pages of `place` alone, that this person's password was typed. */
export function passedPassword(context: IssuerContext, user: UserRecord, place: string): string {
  const passed = { sub: user.sub, place, atMs: context.now(), password: digestOf(user) }
  return seal(context.masterKey, PURPOSE, JSON.stringify(passed))
}

/** Whose password came before; undefined when that is too long ago, was said elsewhere, or the password is another by now. */
export async function personBehind(
  context: IssuerContext,
  sealed: string,
  place: string,
): Promise<UserRecord | undefined> {
  const text = unseal(context.masterKey, PURPOSE, sealed)
  if (text === undefined) return undefined
  const passed: { sub: string; place: string; atMs: number; password: string } = JSON.parse(text)
  const age = context.now() - passed.atMs
  if (passed.place !== place || age < 0 || age > LASTS_MS) return undefined
  const user = await context.store.userBySub(passed.sub)
  return user === undefined || user.disabled || digestOf(user) !== passed.password ? undefined : user
}

function digestOf({ passwordHash = '' }: UserRecord): string {
  return createHash('sha256').update(passwordHash).digest('base64url')
}
