import { reaches } from '../../core/levels.ts'
import type { UserRecord } from '../../store/store.ts'
import { BROWSER_CLIENT } from '../clients/reserved.ts'
import { siteOf } from '../context.ts'
import { deviceKeyOf, keepDevice, noteSignedOut } from '../http/cookies.ts'
import { isRemembered } from '../http/remembered-browser.ts'
import { issuerRequestOf, queryOf } from '../http/request.ts'
import { redirect } from '../http/response.ts'
import type { FormTarget } from '../pages/form.ts'
import { providerProblem } from '../pages/provider.ts'
import { signInPage } from '../pages/sign-in.ts'
import { unmetPage } from '../pages/unmet.ts'
import { readParameters } from '../tokens/resource-indicators.ts'
import { ANEW_FIELD, goesOn, sealedRequest } from './begin-anew.ts'
import { askForCodeAgain, showCode, signInByCode } from './code-step.ts'
import {
  formTarget,
  type InteractionContext,
  interactionPath,
  persistUnlessEnded,
  sendExpired,
  sendInteractionPage,
} from './context.ts'
import { type EnrolPlace, type EnrolStep, mustEnrol, showEnrolment, takeEnrolment } from './enrol-step.ts'
import { finishSignIn, PASSKEY_REFUSED, passkeyAsk, signInByPasskey } from './passkey-step.ts'
import { pageClient } from './provider-pages.ts'
import { goStraight, providerButtons } from './provider-sign-in.ts'
import { reachableLevel } from './reachable-level.ts'
import { levelNeeded, STEP_UP } from './sign-in-need.ts'
import { leaveSession } from './sign-out.ts'

const WRONG = 'That name and password don’t belong together. Try again.'
const BETTER = 'What was asked for needs a better sign-in than that one. Use your passkey.'
const BUSY = 'There were too many tries. Wait a moment, then try again.'

interface Retry {
  readonly username: string
  readonly problem: string
  readonly status: number
  readonly retryAfterSeconds?: number
}

/** The page that asks who is there, unless there is just one way to say so. */
export async function showSignIn(visit: InteractionContext): Promise<void> {
  if (await goesOn(visit)) return
  const lacking = await levelLacking(visit)
  if (lacking === 'unreachable') return showUnmet(visit)
  if (lacking === 'other_way')
    return showSignInPage(visit, { username: visit.user?.username ?? '', problem: BETTER, status: 200 })
  if (!(await goStraight(visit))) await showSignInPage(visit)
}

/** Whether whoever has just signed in has to sign in better: in another way that the account has, or as this account can't. */
async function levelLacking({
  context,
  interaction,
  user,
}: InteractionContext): Promise<'unreachable' | 'other_way' | undefined> {
  const { reasons } = interaction.prompt
  const login = interaction.lastSubmission?.login
  if (user === undefined || login?.accountId !== user.sub || !reasons.includes(STEP_UP)) return undefined
  const needed = await levelNeeded(context, interaction.params, user)
  if (needed === undefined) return undefined
  return reaches(await reachableLevel(context, user.sub), needed) ? 'other_way' : 'unreachable'
}

async function showUnmet(visit: InteractionContext): Promise<void> {
  const { context, client, redirectUri, user } = visit
  if (user === undefined) {
    sendExpired(context, visit.response)
    return
  }
  const page = unmetPage({
    site: siteOf(context),
    form: formTarget(visit, 'deny'),
    client: pageClient(client, redirectUri),
    account: { username: user.username, displayName: user.displayName },
    switchAccount: formTarget(visit, 'switch'),
    again: formTarget(visit, 'again'),
    enrols: context.settings().authenticator && !(await context.secondFactors.has(user.sub)),
  })
  sendInteractionPage(visit, 200, page)
}

/** The page with the ways to sign in. */
async function showSignInPage(visit: InteractionContext, retry?: Retry): Promise<void> {
  const { context, client, interaction, redirectUri } = visit
  const hint = interaction.params.login_hint
  const page = signInPage({
    site: siteOf(context),
    keepsFragment: client.id === BROWSER_CLIENT,
    form: signInForm(visit),
    client: pageClient(client, redirectUri),
    resources: askedResources(visit),
    username: retry?.username ?? (typeof hint === 'string' ? hint.slice(0, 256) : ''),
    problem: retry?.problem ?? providerProblem(queryOf(visit.request).get('problem')),
    providers: providerButtons(visit),
    password: passwordPlace(visit),
    passkey: await passkeyAsk(visit, undefined, signInForm(visit).hidden),
    cancel: formTarget(visit, 'deny'),
  })
  const retryAfterSeconds = retry?.retryAfterSeconds
  const options = retryAfterSeconds === undefined ? {} : { retryAfterSeconds }
  sendInteractionPage(visit, retry?.status ?? 200, page, options)
}

/** Where the password form is: behind a link, it is shown to whoever follows it, and to who typed into it. */
function passwordPlace({
  context,
  interaction,
  request,
}: InteractionContext): 'shown' | 'none' | { readonly link: string } {
  const { password } = context.settings()
  const wanted = password === 'on' || queryOf(request).has('password') || request.method === 'POST'
  if (password === 'off') return 'none'
  return wanted ? 'shown' : { link: `${interactionPath(interaction.uid)}?password` }
}

/** Checks name and password; a success starts a new session. */
export async function signIn(visit: InteractionContext): Promise<void> {
  const { context, request } = visit
  if (await goesOn(visit)) return
  if (context.settings().password === 'off') return showSignInPage(visit)
  const { form, address } = issuerRequestOf(request)
  const username = form.get('username') ?? ''
  const deviceKey = deviceKeyOf(context, request)
  const left = (): boolean => request.socket.destroyed
  const visitor = visit.interaction.uid
  const attempt = { username, password: form.get('password') ?? '', address, deviceKey, visitor, left }
  const result = await context.signIn.attempt(attempt)
  const about = { ...result.named, client: visit.client.id, address }
  if (result.kind === 'slow') {
    await context.record('login.throttled', about, 'warn')
    const { retryAfterSeconds } = result
    return showSignInPage(visit, { username, problem: BUSY, status: 429, retryAfterSeconds })
  }
  if (result.kind === 'wrong') {
    await context.record('login.failure', about, 'warn')
    return showSignInPage(visit, { username, problem: WRONG, status: 400 })
  }
  const { user, amr } = result
  const second = await context.secondFactors.has(user.sub)
  if (second && !(await spareCode(visit, user))) return showCode(visit, user)
  if (await mustEnrol(context, user)) return showEnrolment(enrolPlace(visit), user)
  await context.record('login.success', { sub: user.sub, ...about })
  keepDevice(context, visit.response, result.deviceKey)
  await finishSignIn(visit, user.sub, amr)
}

/** Whether a remembered browser is enough: never where more than a password is asked for. */
async function spareCode({ context, interaction, request }: InteractionContext, user: UserRecord): Promise<boolean> {
  const needed = await levelNeeded(context, interaction.params, user)
  return (needed === undefined || needed === 'pwd') && (await isRemembered(context, request, user))
}

/** Forgets who this browser is signed in as, and asks for another account. */
export async function switchAccount(visit: InteractionContext): Promise<void> {
  const { context, provider, interaction, response } = visit
  await leaveSession(context, provider, interaction, response)
  noteSignedOut(context, response)
  const { details } = interaction.prompt
  interaction.prompt = { name: 'login', reasons: ['account_switch'], details }
  interaction.lastSubmission = undefined
  if (!(await persistUnlessEnded(visit))) return sendExpired(visit.context, response)
  redirect(response, interactionPath(interaction.uid))
}

/** The form for name and password; a browser's outlives its interaction. */
function signInForm(visit: InteractionContext): FormTarget {
  const { action, hidden } = formTarget(visit, 'sign-in')
  const anew = sealedRequest(visit)
  return { action, hidden: anew === undefined ? hidden : { ...hidden, [ANEW_FIELD]: anew } }
}

/** Asks who is there anew: what the account lacked it may have by now. */
export async function signInAgain(visit: InteractionContext): Promise<void> {
  const { context, interaction, response } = visit
  interaction.lastSubmission = undefined
  if (!(await persistUnlessEnded(visit))) return sendExpired(context, response)
  redirect(response, interactionPath(interaction.uid))
}

function askedResources({ context, interaction }: InteractionContext): readonly string[] {
  const { resource, scope } = interaction.params
  return readParameters(context, resource, scope).map((share) => share.resource.name)
}

/** Signs in by a passkey; one that is refused leads to the page again. */
export async function takePasskey(visit: InteractionContext): Promise<void> {
  if (await goesOn(visit)) return
  if ((await signInByPasskey(visit)) || (await askForCodeAgain(visit, PASSKEY_REFUSED))) return
  await showSignInPage(visit, { username: '', problem: PASSKEY_REFUSED, status: 400 })
}

/** Between the password and the client, where a second factor has to be. */
function enrolPlace(visit: InteractionContext): EnrolPlace {
  const { context, request, response, interaction } = visit
  return {
    context,
    request,
    response,
    passedAt: interaction.uid,
    place: interaction.uid,
    target: (step) => formTarget(visit, step),
    cancel: formTarget(visit, 'deny'),
    send: (status, page) => sendInteractionPage(visit, status, page),
    done: async (user, amr, codes) => {
      keepDevice(context, response, context.signIn.deviceKeyFor(user))
      await finishSignIn(visit, user.sub, amr, codes)
    },
  }
}

/** Carries out a form of that; one that comes too late begins with the password again. */
export function enrolStep(step: EnrolStep): (visit: InteractionContext) => Promise<void> {
  return async (visit) => {
    if (!(await takeEnrolment(enrolPlace(visit), step)))
      redirect(visit.response, interactionPath(visit.interaction.uid))
  }
}

/** Checks the code that comes after the password; one that comes too late begins with the password again. */
export async function takeCode(visit: InteractionContext): Promise<void> {
  if ((await signInByCode(visit)) === 'expired') redirect(visit.response, interactionPath(visit.interaction.uid))
}
