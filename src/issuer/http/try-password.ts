import type { IncomingMessage } from 'node:http'
import type { IssuerContext } from '../context.ts'
import type { SignInResult } from '../people/throttle.ts'
import { deviceKeyOf } from './cookies.ts'
import { issuerRequestOf } from './request.ts'

/** What was typed. */
interface TypedPassword {
  readonly username: string
  readonly password: string
}

/** What a page knows of a try besides. */
interface TryPlace {
  /** What tells one browser of an address from another; undefined: nothing does here. */
  readonly visitor?: string
  /** What the audit line of a try that fails says besides name and address. */
  readonly about?: Readonly<Record<string, string>>
}

/**
 * One try at a password by a request, slowed like every other; a right one is no sign-in yet, and leaves no audit line: a second factor may
 * come, or a new session may not.
 */
export async function tryPassword(
  context: Pick<IssuerContext, 'settings' | 'signIn' | 'record'>,
  request: IncomingMessage,
  typed: TypedPassword,
  { visitor, about }: TryPlace,
): Promise<SignInResult> {
  const { address } = issuerRequestOf(request)
  const deviceKey = deviceKeyOf(context, request)
  const left = (): boolean => request.socket.destroyed
  const result = await context.signIn.attempt({ ...typed, address, deviceKey, visitor, left })
  if (result.kind !== 'ok') {
    const event = result.kind === 'slow' ? 'login.throttled' : 'login.failure'
    await context.record(event, { ...result.named, ...about, address }, 'warn')
  }
  return result
}
