import type { IncomingMessage } from 'node:http'
import type { UserRecord } from '../../store/store.ts'
import { type IssuerContext, seconds, siteOf } from '../context.ts'
import { keepDevice } from '../http/cookies.ts'
import { PASSED_FIELD, passedPassword, personBehind } from '../http/passed-password.ts'
import { issuerRequestOf } from '../http/request.ts'
import { codePage } from '../pages/second-factor.ts'
import { levelOfMethods, METHODS } from '../people/sign-in-methods.ts'
import { finish, type InteractionContext, sendInteractionPage } from './context.ts'
import { formTarget } from './form-target.ts'
import { leaveSession } from './leave-session.ts'

/** What a code page says of a try that failed. */
export const CODE_PROBLEMS = {
  wrong: 'That is not a code of this moment, or it was used before. Try again.',
  slow: 'There were too many tries. Wait a moment, then try again.',
} as const

/** One try at the code that comes after a right password, slowed like every other, with its audit lines. */
export async function tryCode(
  context: IssuerContext,
  request: IncomingMessage,
  user: UserRecord,
  typed: string,
  client: string | undefined,
): Promise<{ readonly amr: readonly string[] } | 'wrong' | 'slow'> {
  const { sub } = user
  const { address } = issuerRequestOf(request)
  const judge = () => context.secondFactors.spend(sub, typed)
  const shown = await context.signIn.attemptCode({ sub, address, left: () => request.socket.destroyed, judge })
  if (shown === 'wrong' || shown === 'slow') {
    await context.record(
      shown === 'wrong' ? 'login.failure' : 'login.throttled',
      { sub, factor: 'code', client, address },
      'warn',
    )
    return shown
  }
  if (shown === 'recovery') await context.record('recovery_code.used', { sub, client, address }, 'warn')
  await context.record('login.success', { sub, factor: shown, client, address })
  return { amr: shown === 'code' ? METHODS.code : METHODS.recovery }
}

/** Asks for the code, after the password. */
export function showCode(visit: InteractionContext, user: UserRecord): void {
  sendCodePage(visit, passedPassword(visit.context, user, visit.interaction.uid), 200, undefined)
}

/** Checks the code; a success starts a new session. */
export async function signInByCode(visit: InteractionContext): Promise<'expired' | undefined> {
  const { context, request, response, interaction, client, provider } = visit
  const { form } = issuerRequestOf(request)
  const passed = form.get(PASSED_FIELD) ?? ''
  const user = await personBehind(context, passed, interaction.uid)
  if (user === undefined) return 'expired'
  const shown = await tryCode(context, request, user, form.get('code') ?? '', client.id)
  if (typeof shown === 'string') {
    sendCodePage(visit, passed, shown === 'slow' ? 429 : 400, CODE_PROBLEMS[shown])
    return undefined
  }
  const { sub } = user
  if (interaction.session !== undefined && interaction.session.accountId !== sub)
    await leaveSession(context, provider, interaction, response)
  keepDevice(context, response, context.signIn.deviceKeyFor(user))
  const how = { amr: [...shown.amr], acr: levelOfMethods(shown.amr) }
  await finish(visit, { login: { accountId: sub, ...how, ts: seconds(context), remember: true } })
  return undefined
}

function sendCodePage(
  visit: InteractionContext,
  passed: string,
  status: 200 | 400 | 429,
  problem: string | undefined,
): void {
  const { action, hidden } = formTarget(visit, 'code')
  const page = codePage({
    site: siteOf(visit.context),
    form: { action, hidden: { ...hidden, [PASSED_FIELD]: passed } },
    problem,
    cancel: formTarget(visit, 'deny'),
  })
  sendInteractionPage(visit, status, page, status === 429 ? { retryAfterSeconds: 3 } : {})
}
