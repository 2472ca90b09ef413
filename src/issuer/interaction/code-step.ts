import type { IncomingMessage, ServerResponse } from 'node:http'
import type { UserRecord } from '../../store/store.ts'
import { type IssuerContext, seconds, siteOf } from '../context.ts'
import { deviceKeyOf, keepDevice } from '../http/cookies.ts'
import { PASSED_FIELD, type PassedAt, passedPassword, personBehind } from '../http/passed-password.ts'
import { rememberBrowser, rememberDays } from '../http/remembered-browser.ts'
import { issuerRequestOf } from '../http/request.ts'
import type { PasskeyForm } from '../pages/passkey.ts'
import { type CodePageModel, codePage } from '../pages/second-factor.ts'
import { METHODS } from '../people/factor-rules.ts'
import { formTarget, type InteractionContext, sendInteractionPage } from './context.ts'
import { finishSignIn, passkeyAsk } from './passkey-step.ts'

/** What a code page says of a try that failed. */
export const CODE_PROBLEMS = {
  wrong: 'That is not a code of this moment, or it was used before. Try again.',
  slow: 'There were too many tries. Wait a moment, then try again.',
} as const

/**
 * One try at the code that comes after a right password, slowed like every other, with its audit lines.
 * @param visitor what tells one browser of an address from another.
 */
export async function tryCode(
  context: IssuerContext,
  request: IncomingMessage,
  user: UserRecord,
  typed: string,
  visitor: string,
  client: string | undefined,
): Promise<{ readonly amr: readonly string[] } | 'wrong' | 'slow'> {
  const { sub } = user
  const { address } = issuerRequestOf(request)
  const judge = () => context.secondFactors.spend(sub, typed)
  const deviceKey = deviceKeyOf(context, request)
  const left = (): boolean => request.socket.destroyed
  const shown = await context.signIn.attemptCode({ user, address, deviceKey, visitor, left, judge })
  if (shown === 'wrong' || shown === 'slow') {
    const event = shown === 'wrong' ? 'login.failure' : 'login.throttled'
    await context.record(event, { sub, factor: 'code', client, address }, 'warn')
    return shown
  }
  if (shown === 'recovery') {
    await context.record('recovery_code.used', { sub, client, address }, 'warn')
    // The account page tells the person, should it have been somebody else.
    await context.store.noteRecovery(sub, seconds(context), address)
  }
  await context.record('login.success', { sub, factor: shown, client, address })
  return { amr: shown === 'code' ? METHODS.code : METHODS.recovery }
}

/** What a browser keeps of a sign-in by password and code. */
export async function keepCodeSignIn(
  context: IssuerContext,
  request: IncomingMessage,
  response: ServerResponse,
  user: UserRecord,
): Promise<void> {
  keepDevice(context, response, context.signIn.deviceKeyFor(user))
  if (issuerRequestOf(request).form.get('remember') === 'yes') await rememberBrowser(context, request, response, user)
}

/** What can be shown after the password. @param form where a code goes. */
export async function codeModel(
  context: IssuerContext,
  { sub }: UserRecord,
  form: NonNullable<CodePageModel['form']>,
  passkey: PasskeyForm | undefined,
): Promise<Pick<CodePageModel, 'site' | 'form' | 'takes' | 'rememberDays' | 'passkey'>> {
  const { app, passkeys, codes } = await context.secondFactors.standing(sub)
  return {
    site: siteOf(context),
    form: app || codes > 0 ? form : undefined,
    takes: app ? 'app' : 'recovery',
    rememberDays: rememberDays(context),
    passkey: passkeys.length > 0 ? passkey : undefined,
  }
}

/** Where a password of this sign-in was typed. */
export function passedAt({ details, client }: InteractionContext): PassedAt {
  return { place: details.uid, client: client.id }
}

/** Asks for what comes after the password. */
export async function showCode(interaction: InteractionContext, user: UserRecord): Promise<void> {
  const passed = await passedPassword(interaction.context, interaction.request, user, passedAt(interaction))
  await sendCodePage(interaction, user, passed, 200, undefined)
}

/** Checks the code; a success starts a new session. */
export async function signInByCode(interaction: InteractionContext): Promise<'expired' | undefined> {
  const { context, request, response, details, client } = interaction
  const { form } = issuerRequestOf(request)
  const passed = form.get(PASSED_FIELD) ?? ''
  const user = await personBehind(context, passed, passedAt(interaction))
  if (user === undefined) return 'expired'
  const shown = await tryCode(context, request, user, form.get('code') ?? '', details.uid, client.id)
  if (typeof shown === 'string') {
    await sendCodePage(interaction, user, passed, shown === 'slow' ? 429 : 400, CODE_PROBLEMS[shown])
    return undefined
  }
  await keepCodeSignIn(context, request, response, user)
  await finishSignIn(interaction, user.sub, shown.amr)
  return undefined
}

/** Shows the code page again to whoever typed the password before; false, and nothing answered, for others. */
export async function askForCodeAgain(interaction: InteractionContext, problem: string): Promise<boolean> {
  const passed = issuerRequestOf(interaction.request).form.get(PASSED_FIELD)
  const user = passed === null ? undefined : await personBehind(interaction.context, passed, passedAt(interaction))
  if (passed === null || user === undefined) return false
  await sendCodePage(interaction, user, passed, 400, problem)
  return true
}

async function sendCodePage(
  interaction: InteractionContext,
  user: UserRecord,
  passed: string,
  status: 200 | 400 | 429,
  problem: string | undefined,
): Promise<void> {
  const { action, hidden } = formTarget(interaction, 'code')
  const form = { action, hidden: { ...hidden, [PASSED_FIELD]: passed } }
  const model = await codeModel(
    interaction.context,
    user,
    form,
    await passkeyAsk(interaction, user.sub, { [PASSED_FIELD]: passed }),
  )
  const page = codePage({ ...model, problem, cancel: formTarget(interaction, 'deny') })
  sendInteractionPage(interaction, status, page, status === 429 ? { retryAfterSeconds: 3 } : {})
}
