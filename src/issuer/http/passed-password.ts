import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { UserRecord } from '../../store/store.ts'
import type { IssuerContext } from '../context.ts'
import { seal, unseal } from '../keys/sealing.ts'
import { endedSince } from './ended-meanwhile.ts'
import { issuerRequestOf } from './request.ts'

/** The hidden field of a code page: that a right password came before. */
export const PASSED_FIELD = 'passed'

const PURPOSE = 'passed password'
const LASTS_MS = 5 * 60_000

/** Where a password was typed: nowhere else does it count. */
export interface PassedAt {
  readonly place: string
  /** Whom the sign-in is for; undefined: no client. */
  readonly client: string | undefined
}

interface Passed extends PassedAt {
  readonly sub: string
  readonly atMs: number
  readonly password: string
  /** The last act of revocation before it. */
  readonly actId: number
}

/** Says for five minutes, to the pages of one place alone, that this person's password was typed in the request in hand. */
export async function passedPassword(
  context: IssuerContext,
  request: IncomingMessage,
  user: UserRecord,
  at: PassedAt,
): Promise<string> {
  const actId = issuerRequestOf(request).lastActId ?? (await context.store.lastRevocationId())
  const passed: Passed = { ...at, sub: user.sub, atMs: context.now(), password: digestOf(user), actId }
  return seal(context.masterKey, PURPOSE, JSON.stringify(passed))
}

/**
 * Whose password came before; undefined when that is too long ago, was said elsewhere, the password is another by now, or an act has ended
 * since what was begun with it.
 */
export async function personBehind(
  context: IssuerContext,
  sealed: string,
  at: PassedAt,
): Promise<UserRecord | undefined> {
  const text = unseal(context.masterKey, PURPOSE, sealed)
  if (text === undefined) return undefined
  const { sub, place, client, atMs, password, actId }: Passed = JSON.parse(text)
  const age = context.now() - atMs
  if (place !== at.place || client !== at.client || age < 0 || age > LASTS_MS) return undefined
  const user = await context.store.userBySub(sub)
  if (user === undefined || user.disabled || digestOf(user) !== password) return undefined
  return (await endedSince(context, actId, { sub, clientId: client })) ? undefined : user
}

function digestOf({ passwordHash = '' }: UserRecord): string {
  return createHash('sha256').update(passwordHash).digest('base64url')
}
