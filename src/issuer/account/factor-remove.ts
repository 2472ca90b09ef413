import { seconds, siteOf } from '../context.ts'
import { issuerRequestOf } from '../http/request.ts'
import { sendPage } from '../http/response.ts'
import { type RemoveFactorModel, removeFactorPage } from '../pages/remove-factor.ts'
import { AUTHENTICATOR, removeFactor } from '../people/factor-removal.ts'
import { mustHaveSecond, waysOf } from '../people/factor-rules.ts'
import { passwordNames, passwordProblem } from '../people/password-judgement.ts'
import { isFresh, sendSignedOut, stillStands } from './freshness.ts'
import {
  ACCOUNT_PATH,
  accountForm,
  isConfirmed,
  leadBack,
  posted,
  refuse,
  type SignedInRequest,
  tryCurrentPassword,
} from './request.ts'

const WRONG = 'That is not your password. Type it again.'
const BUSY = 'There were too many tries. Wait a moment, then try again.'
const DIFFERENT = 'The two new passwords are not the same. Type both again.'

/** Removes a passkey or the app, once the person has said so twice. Never the last way in, nor the last second factor where one has to be. */
export async function removeOwnFactor(call: SignedInRequest): Promise<void> {
  const { context, session } = call
  if (!(await isFresh(call))) return
  const named = await namedFactor(call)
  if (named === undefined) return leadBack(call, { kind: 'gone', what: 'It', atMs: context.now() }, session.user.sub)
  const mayEndLast = !mustHaveSecond(context.settings().secondFactor, session.user.groups)
  if (!isConfirmed(call)) return showQuestion(call, named, 200, undefined)
  // Before a longer password has ended what else is signed in.
  if (named.leaves !== 'second' && !mayEndLast) return refuseRemoval(call, 'required')
  if (named.leaves === 'password') {
    const settled = await settlePassword(call)
    if (settled === 'signed_out')
      return refuse(call, 403, { title: 'You were signed out', what: `${named.what} was not removed here.` })
    if (settled !== undefined) return showQuestion(call, named, settled.status, settled.problem, settled.longer)
  }
  const removed = await removeFactor(context.store, {
    user: session.user,
    id: named.id,
    ways: context.settings(),
    offered: context.passkeys.offered(),
    mayEndLast,
    thenByLink: false,
    stands: () => stillStands(call),
    staysSecond: named.leaves === 'second',
    detail: context.trail.ofRequest({ by: session.user.sub }),
    at: seconds(context),
  })
  if (removed === 'ended') return sendSignedOut(call)
  // Another factor went meanwhile: what stands alone then has to be asked for.
  if (removed === 'alone') return showQuestion(call, (await namedFactor(call)) ?? named, 400, undefined)
  if (removed === 'unknown')
    return leadBack(call, { kind: 'gone', what: named.what, atMs: context.now() }, session.user.sub)
  if (removed !== 'removed') return refuseRemoval(call, removed)
  context.tell('factor.removed', { sub: session.user.sub, factor: named.id, by: session.user.sub })
  leadBack(call, { kind: 'factor_removed', what: named.what, atMs: context.now() }, session.user.sub)
}

interface NamedFactor {
  readonly id: string
  readonly what: string
  /** What is left without it: another second factor, or only a password, or neither. */
  readonly leaves: 'second' | 'password' | 'other'
}

async function namedFactor(call: SignedInRequest): Promise<NamedFactor | undefined> {
  const { context, session } = call
  const id = posted(call, 'factor')
  const { app, passkeys } = await context.secondFactors.standing(session.user.sub)
  const passkey = passkeys.find((each) => each.id === id)
  if (passkey === undefined && !(app && id === AUTHENTICATOR)) return undefined
  const what = passkey === undefined ? 'The authenticator app' : `The passkey ${passkey.name}`
  if (passkeys.length + (app ? 1 : 0) > 1) return { id, what, leaves: 'second' }
  const ways = await waysOf(context.store, session.user, context.settings(), context.passkeys.offered())
  return { id, what, leaves: ways.password ? 'password' : 'other' }
}

interface Unsettled {
  readonly status: 400 | 429
  readonly problem: NonNullable<RemoveFactorModel['problem']>
  readonly longer: boolean
}

/** The password is the only lock then: one that was short enough beside another factor gives way to a longer one. Undefined: it may stand. */
async function settlePassword(call: SignedInRequest): Promise<Unsettled | 'signed_out' | undefined> {
  const { context, session } = call
  const { user } = session
  const current = posted(call, 'current_password')
  const result = await tryCurrentPassword(call)
  const shorter = result.kind === 'ok' && [...current.normalize('NFKC')].length < context.settings().passwordMin
  if (result.kind !== 'ok') {
    const text = result.kind === 'slow' ? BUSY : WRONG
    const status = result.kind === 'slow' ? 429 : 400
    return { status, problem: { field: 'current_password', text }, longer: posted(call, 'new_password') !== '' }
  }
  if (!(await stillStands(call))) return 'signed_out'
  if (!shorter) return undefined
  const next = posted(call, 'new_password')
  const rules = { min: context.settings().passwordMin, names: passwordNames(context, user) }
  const unfit = (field: 'new_password' | 'repeat_password', text: string): Unsettled => ({
    status: 400,
    problem: { field, text },
    longer: true,
  })
  const text = await passwordProblem(next, rules)
  if (text !== undefined) return unfit('new_password', text)
  if (next !== posted(call, 'repeat_password')) return unfit('repeat_password', DIFFERENT)
  const hash = await context.passwords.hash(next)
  if (hash === undefined) return { status: 429, problem: { field: 'new_password', text: BUSY }, longer: true }
  await context.acts.changePassword(user.sub, hash, { exceptUid: session.uid, keepAppPasswords: true }, user.sub)
  context.tell('user.password_changed', {
    sub: user.sub,
    by: session.user.sub,
    address: issuerRequestOf(call.request).address,
  })
  return undefined
}

function showQuestion(
  call: SignedInRequest,
  { id, what, leaves }: NamedFactor,
  status: 200 | 400 | 429,
  problem: RemoveFactorModel['problem'],
  longer = false,
): void {
  const { context, session, response } = call
  const page = removeFactorPage({
    site: siteOf(context),
    form: accountForm(call, 'factor-remove', { factor: id }),
    account: session.user,
    what,
    password: leaves === 'password' ? (longer ? 'longer' : 'current') : 'none',
    shortest: context.settings().passwordMin,
    problem,
    cancelUrl: ACCOUNT_PATH,
  })
  sendPage(response, status, page, status === 429 ? { retryAfterSeconds: 3 } : {})
}

function refuseRemoval(call: SignedInRequest, why: 'last_sign_in' | 'required'): void {
  const what =
    why === 'last_sign_in'
      ? 'It is the last way into your account (last_sign_in): add another one first. Nothing was changed.'
      : 'Your account has to have a second factor, and this is the last one: add another one first. Nothing was changed.'
  refuse(call, 409, { title: 'This one stays', what })
}
