import { keepDevice } from '../http/cookies.ts'
import { issuerRequestOf } from '../http/request.ts'
import { METHODS } from '../people/factor-rules.ts'
import { passwordProblem, passwordRules } from '../people/password-judgement.ts'
import type { SignInResult } from '../people/throttle.ts'
import { isFresh, whileItStands } from './freshness.ts'
import { type Failure, mustChoosePassword, showOverview } from './overview.ts'
import { leadBack, posted, type SignedInRequest, tryCurrentPassword } from './request.ts'
import type { SessionOrigin } from './sessions.ts'

const WRONG = 'That is not your password now. Type it again.'
const DIFFERENT = 'The two new passwords are not the same. Type both again.'
const BUSY = 'There were too many tries. Wait a moment, then try again.'
const BUSY_SECONDS = 3

/**
 * Changes the password of whoever knows the one in force; tries are slowed like sign-ins. All else of the person ends, and this
 * browser goes on in a new session: a copy of its cookie is worth nothing then.
 */
export async function changePassword(call: SignedInRequest): Promise<void> {
  const { context, request, response, session, sessions } = call
  const { user } = session
  if ((await context.secondFactors.has(user.sub)) && !(await isFresh(call))) return
  const next = posted(call, 'new_password')
  const unfit = await unfitness(call, next, posted(call, 'repeat_password'))
  if (unfit !== undefined) return showOverview(call, unfit)
  const result = await tryCurrentPassword(call)
  if (result.kind !== 'ok') return refuseTry(call, result)
  const hash = await context.passwords.hash(next)
  if (hash === undefined) return showOverview(call, busy(BUSY_SECONDS))
  const entries = await whileItStands(
    call,
    async () => {
      const inHand = { exceptUid: session.uid, keepAppPasswords: await keepsAppPasswords(call) }
      return context.acts.changePassword(user.sub, hash, inHand, user.sub)
    },
    'Your password was not changed here.',
  )
  if (entries === undefined) return
  const [entry] = entries
  context.tell('user.password_changed', { sub: user.sub, by: user.sub, address: issuerRequestOf(request).address })
  // What comes after this act of the person's own ends the new session as well.
  issuerRequestOf(request).lastActId = entry?.id
  await sessions.begin(request, response, user.sub, ...originOf(call, result.amr))
  keepDevice(context, response, context.signIn.deviceKeyFor({ ...user, passwordHash: hash }))
  leadBack(call, { kind: 'password', atMs: entry?.notBeforeMs ?? context.now() }, user.sub)
}

/** What the new session says of the sign-in: one by a passkey or a code is as old as it was, for the password alone was shown anew. */
function originOf(
  { session }: SignedInRequest,
  shown: readonly string[],
): readonly [readonly string[], SessionOrigin | undefined] {
  const { acr, own, signedInAt: authTime } = session
  if (!own || (acr !== 'phr' && acr !== 'mfa')) return [shown, undefined]
  return [acr === 'phr' ? METHODS.passkey : METHODS.code, { authTime, acr, signIn: undefined }]
}

/** Somebody else may have made one: none is kept then. */
async function keepsAppPasswords(call: SignedInRequest): Promise<boolean> {
  return posted(call, 'keep_app_passwords') === 'yes' && !(await mustChoosePassword(call))
}

async function unfitness(call: SignedInRequest, next: string, repeated: string): Promise<Failure | undefined> {
  const beside = await call.context.secondFactors.has(call.session.user.sub)
  const text = await passwordProblem(next, passwordRules(call.context, call.session.user, beside))
  if (text !== undefined) return { status: 400, problem: { field: 'new_password', text } }
  if (next === repeated) return undefined
  return { status: 400, problem: { field: 'repeat_password', text: DIFFERENT } }
}

function refuseTry(call: SignedInRequest, result: Exclude<SignInResult, { kind: 'ok' }>): Promise<void> {
  if (result.kind === 'slow') return showOverview(call, busy(result.retryAfterSeconds))
  return showOverview(call, { status: 400, problem: { field: 'current_password', text: WRONG } })
}

function busy(retryAfterSeconds: number): Failure {
  return { status: 429, notice: { kind: 'problem', text: BUSY }, retryAfterSeconds }
}
