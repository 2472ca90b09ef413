import { lookupKey } from '../../store/sealed-payload.ts'
import type { UserRecord } from '../../store/store.ts'
import { siteOf } from '../context.ts'
import { keepDevice, noteSignedOut, wasSignedOut } from '../http/cookies.ts'
import { PASSED_FIELD, type PassedAt, passedPassword, personBehind } from '../http/passed-password.ts'
import { isRemembered } from '../http/remembered-browser.ts'
import { issuerRequestOf, queryOf } from '../http/request.ts'
import { redirect, sendPage } from '../http/response.ts'
import { tryPassword } from '../http/try-password.ts'
import { CODE_PROBLEMS, codeModel, keepCodeSignIn, tryCode } from '../interaction/code-step.ts'
import { showEnrolment } from '../interaction/enrol-step.ts'
import { PASSKEY_REFUSED, tryPasskey } from '../interaction/passkey-step.ts'
import { straightTo } from '../interaction/provider-sign-in.ts'
import { donePage, leadOnPage } from '../pages/message.ts'
import { providerProblem } from '../pages/provider.ts'
import { codePage } from '../pages/second-factor.ts'
import { signedOutPage, signInPage } from '../pages/sign-in.ts'
import { clockTime } from '../pages/words.ts'
import { METHODS } from '../people/factor-rules.ts'
import { accountPasskeyAsk, browserPlace, enrolPlace } from './enrolment.ts'
import {
  ACCOUNT_PATH,
  type AccountRequest,
  leadBack,
  type Outcome,
  outcomeFor,
  posted,
  type SignedInRequest,
} from './request.ts'

/** Where the password was typed that a code page goes by. */
export const PLACE: PassedAt = { place: 'account', client: undefined }
const WRONG = 'That name and password don’t belong together. Try again.'
const BUSY = 'There were too many tries. Wait a moment, then try again.'

interface Retry {
  readonly status: 400 | 429
  readonly problem: string
  readonly retryAfterSeconds?: number
}

/** The account page for nobody: a sign-in, or the end of one. Where there is one way only, it is taken. */
export async function showSignedOut(call: AccountRequest): Promise<void> {
  const { context, request, response } = call
  const outcome = outcomeFor(call, undefined)
  const held = outcome !== undefined || queryOf(request).size > 0 || wasSignedOut(context, request)
  const straight = held ? undefined : straightTo(context, undefined)
  if (straight !== undefined) redirect(response, `/oauth/providers/${straight}/start`)
  else sendPage(response, 200, outcome === undefined ? await signInForm(call) : farewell(siteOf(context), outcome))
}

/** Checks name and password. A success starts a new session and leads to the account page, and nowhere else. */
export async function signIn(call: AccountRequest): Promise<void> {
  const { context, request, response, sessions } = call
  if (context.settings().password === 'off') return redirect(response, ACCOUNT_PATH)
  const typed = { username: posted(call, 'username'), password: posted(call, 'password') }
  const result = await tryPassword(context, request, typed, {})
  if (result.kind === 'slow')
    return askAgain(call, { status: 429, problem: BUSY, retryAfterSeconds: result.retryAfterSeconds })
  if (result.kind === 'wrong') return askAgain(call, { status: 400, problem: WRONG })
  const { sub } = result.user
  const second = await context.secondFactors.has(sub)
  const spared = second && posted(call, 'full') !== 'yes' && (await isRemembered(context, request, result.user))
  if (second && !spared)
    return showCodePage(call, result.user, await passedPassword(context, request, result.user, PLACE), 200)
  if (await showEnrolment(enrolPlace(call, PLACE), result.user)) return
  const { address } = issuerRequestOf(request)
  await context.record('login.success', { sub, ...result.named, address })
  if (!(await sessions.begin(request, response, sub, result.amr)))
    return askAgain(call, { status: 400, problem: WRONG })
  keepDevice(context, response, result.deviceKey)
  redirect(response, ACCOUNT_PATH)
}

/** Checks the code that comes after a right password; what follows is as in {@link signIn}. */
export async function signInByCode(call: AccountRequest): Promise<void> {
  const { context, request, response, sessions } = call
  const passed = posted(call, PASSED_FIELD)
  const user = await personBehind(context, passed, PLACE)
  if (user === undefined) return redirect(response, ACCOUNT_PATH)
  const shown = await tryCode(context, request, user, posted(call, 'code'), passed, undefined)
  if (typeof shown === 'string')
    return showCodePage(call, user, passed, shown === 'slow' ? 429 : 400, CODE_PROBLEMS[shown])
  if (!(await sessions.begin(request, response, user.sub, shown.amr))) return redirect(response, ACCOUNT_PATH)
  await keepCodeSignIn(context, request, response, user)
  redirect(response, ACCOUNT_PATH)
}

/** Signs in by a passkey; what follows is as in {@link signIn}. */
export async function signInByPasskey(call: AccountRequest): Promise<void> {
  const { context, request, response, sessions } = call
  const user = await tryPasskey(context, request, browserPlace(call), undefined)
  if (user !== undefined && (await sessions.begin(request, response, user.sub, METHODS.passkey)))
    return redirect(response, ACCOUNT_PATH)
  const passed = posted(call, PASSED_FIELD)
  const behind = passed === '' ? undefined : await personBehind(context, passed, PLACE)
  if (behind !== undefined) return showCodePage(call, behind, passed, 400, PASSKEY_REFUSED)
  return askAgain(call, { status: 400, problem: PASSKEY_REFUSED })
}

async function showCodePage(
  call: AccountRequest,
  user: UserRecord,
  passed: string,
  status: 200 | 400 | 429,
  problem?: string,
): Promise<void> {
  const form = { action: `${ACCOUNT_PATH}/sign-in-code`, hidden: { [PASSED_FIELD]: passed } }
  const passkey = await accountPasskeyAsk(call, user.sub, { [PASSED_FIELD]: passed })
  const page = codePage({ ...(await codeModel(call.context, user, form, passkey)), problem })
  sendPage(call.response, status, page, status === 429 ? { retryAfterSeconds: 3 } : {})
}

/** Ends this browser's session. What apps hold stays. */
export async function signOut(call: SignedInRequest): Promise<void> {
  const { context, request, response, session, sessions } = call
  const { origin } = context.settings()
  const there = await context.federation.signOutUrl(session.uid, `${origin}${ACCOUNT_PATH}`)
  // At the gateway's hosts, too: whoever signs out here means this browser.
  const { sub } = session.user
  const about = { address: issuerRequestOf(request).address }
  await context.acts.signOutBrowser(sub, lookupKey(session.uid), sub, about)
  await sessions.end(request, response)
  noteSignedOut(context, response)
  context.tell('session.ended', { sub, by: sub, ...about })
  context.federation.wake()
  if (there === undefined) return leadBack(call, { kind: 'signed_out', atMs: context.now() }, undefined)
  // A form came before: browsers hold a redirect to what its page allowed.
  sendPage(response, 200, leadOnPage({ site: siteOf(context), url: there, name: new URL(there).host }))
}

async function askAgain(call: AccountRequest, retry: Retry): Promise<void> {
  const { retryAfterSeconds } = retry
  const options = retryAfterSeconds === undefined ? {} : { retryAfterSeconds }
  sendPage(call.response, retry.status, await signInForm(call, retry), options)
}

async function signInForm(call: AccountRequest, retry?: Retry): Promise<string> {
  return signInPage({
    site: siteOf(call.context),
    form: { action: `${ACCOUNT_PATH}/sign-in`, hidden: {} },
    client: undefined,
    resources: [],
    username: posted(call, 'username').slice(0, 256),
    problem: retry?.problem ?? providerProblem(queryOf(call.request).get('problem')),
    providers: call.context.federation
      .choices(call.request)
      .map(({ id, name }) => ({ name, url: `/oauth/providers/${id}/start` })),
    password: passwordPlace(call),
    passkey: await accountPasskeyAsk(call, undefined),
  })
}

function passwordPlace({ context, request }: AccountRequest): 'shown' | 'none' | { readonly link: string } {
  const { password } = context.settings()
  if (password === 'off') return 'none'
  const wanted = password === 'on' || queryOf(request).has('password') || request.method === 'POST'
  return wanted ? 'shown' : { link: `${ACCOUNT_PATH}?password` }
}

function farewell(site: string, outcome: Outcome): string {
  if (outcome.kind !== 'everywhere') return signedOutPage({ site, next: undefined })
  return donePage({
    site,
    title: 'Signed out everywhere',
    text: [
      `Every session and device of yours was signed out at ${clockTime(outcome.atMs)}, this browser too.`,
      'Apps that you still want ask you to sign in again.',
    ],
    next: { url: ACCOUNT_PATH, label: 'Sign in again' },
  })
}
