import type { IncomingMessage } from 'node:http'
import type { UserRecord } from '../../store/store.ts'
import { type IssuerContext, seconds } from '../context.ts'
import { issuerRequestOf } from '../http/request.ts'
import type { PasskeyForm } from '../pages/passkey.ts'
import { levelOfMethods, METHODS } from '../people/factor-rules.ts'
import { finish, formTarget, type InteractionContext, interactionPath } from './context.ts'
import { leaveSession } from './sign-out.ts'

/** The hidden field that says what a passkey was asked for. */
export const CEREMONY_FIELD = 'ceremony'
/** The field that brings the passkey. */
export const PASSKEY_FIELD = 'passkey'
/** What people learn of a passkey that was refused, whatever was wrong with it. */
export const PASSKEY_REFUSED = 'That passkey was not accepted. Try again, or sign in another way.'

/** The form of this interaction that asks for a passkey; undefined where none is offered. @param sub whose; undefined: anybody's. */
export async function passkeyAsk(
  interaction: InteractionContext,
  sub: string | undefined,
  more: Readonly<Record<string, string>> = {},
): Promise<PasskeyForm | undefined> {
  const { context, details } = interaction
  if (!context.passkeys.offered()) return undefined
  const { options, sealed } = await context.passkeys.beginSignIn(details.uid, sub)
  const { action, hidden } = formTarget(interaction, 'passkey')
  const again = sub === undefined ? interactionPath(details.uid) : undefined
  return { form: { action, hidden: { ...hidden, ...more, [CEREMONY_FIELD]: sealed } }, options, kind: 'get', again }
}

/** One try to sign in by a passkey, with its audit lines; undefined: it was refused. */
export async function tryPasskey(
  context: IssuerContext,
  request: IncomingMessage,
  place: string,
  client: string | undefined,
): Promise<UserRecord | undefined> {
  const { form, address } = issuerRequestOf(request)
  const answer = { place, sealed: form.get(CEREMONY_FIELD) ?? '', response: form.get(PASSKEY_FIELD) ?? '' }
  const result = await context.passkeys.signIn(answer)
  const about = { factor: 'passkey', client, address }
  if (result.kind === 'ok') {
    const { sub } = result.user
    await context.record('login.success', { sub, ...about, passkey: result.passkey.id })
    return result.user
  }
  const { fault, sub } = result
  if (fault === 'counter' && sub !== undefined)
    await context.record('passkey.counter_regressed', { sub, ...about }, 'warn')
  await context.record('login.failure', { ...(sub !== undefined && { sub }), ...about, fault }, 'warn')
  return undefined
}

/** Signs in whoever's passkey came; false, and nothing answered, where it was refused. */
export async function signInByPasskey(interaction: InteractionContext): Promise<boolean> {
  const { context, request, details, client } = interaction
  const user = await tryPasskey(context, request, details.uid, client.id)
  if (user === undefined) return false
  await finishSignIn(interaction, user.sub, METHODS.passkey)
  return true
}

/** Ends the page's part with somebody signed in; what the browser had of another person goes. */
export async function finishSignIn(
  interaction: InteractionContext,
  sub: string,
  amr: readonly string[],
  codes?: readonly string[],
): Promise<void> {
  const { context, details, provider, response } = interaction
  if (details.session !== undefined && details.session.accountId !== sub)
    await leaveSession(context, provider, details, response)
  const how = { amr: [...amr], acr: levelOfMethods(amr) }
  await finish(interaction, { login: { accountId: sub, ...how, ts: seconds(context), remember: true } }, codes)
}
