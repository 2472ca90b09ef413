import type { UserRecord } from '../../store/store.ts'
import { BROWSER_CLIENT } from '../clients/reserved.ts'
import { siteOf } from '../context.ts'
import { keepDevice, noteSignedOut } from '../http/cookies.ts'
import { isRemembered } from '../http/remembered-browser.ts'
import { issuerRequestOf, queryOf } from '../http/request.ts'
import { redirect } from '../http/response.ts'
import { tryPassword } from '../http/try-password.ts'
import type { FormTarget } from '../pages/form.ts'
import { providerProblem } from '../pages/provider.ts'
import { signInPage } from '../pages/sign-in.ts'
import { readParameters } from '../tokens/resource-indicators.ts'
import { ANEW_FIELD, goesOn, sealedRequest } from './begin-anew.ts'
import { askForCodeAgain, passedAt, showCode, signInByCode } from './code-step.ts'
import {
  formTarget,
  type InteractionContext,
  interactionPath,
  persistUnlessEnded,
  sendExpired,
  sendInteractionPage,
} from './context.ts'
import {
  type EnrolPlace,
  type EnrolStep,
  requiredPage,
  requiredWays,
  showEnrolment,
  takeEnrolment,
} from './enrol-step.ts'
import { finishSignIn, PASSKEY_REFUSED, passkeyAsk, signInByPasskey } from './passkey-step.ts'
import { pageClient } from './provider-pages.ts'
import { goStraight, providerButtons } from './provider-sign-in.ts'
import { levelNeeded } from './sign-in-need.ts'
import { leaveSession } from './sign-out.ts'
import { enrolPlace, lackingLevel, showUnmet, unmetPlace } from './unmet-step.ts'

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
export async function showSignIn(interaction: InteractionContext): Promise<void> {
  if (await goesOn(interaction)) return
  const lacking = await lackingLevel(interaction)
  if (lacking?.reachable === false) return showUnmet(interaction)
  if (lacking !== undefined)
    return showSignInPage(interaction, { username: interaction.user?.username ?? '', problem: BETTER, status: 200 })
  if (!(await goStraight(interaction))) await showSignInPage(interaction)
}

/** The page with the ways to sign in. */
async function showSignInPage(interaction: InteractionContext, retry?: Retry): Promise<void> {
  const { context, client, details, redirectUri } = interaction
  const hint = details.params.login_hint
  const page = signInPage({
    site: siteOf(context),
    keepsFragment: client.id === BROWSER_CLIENT,
    form: signInForm(interaction),
    client: pageClient(client, redirectUri),
    resources: askedResources(interaction),
    username: retry?.username ?? (typeof hint === 'string' ? hint.slice(0, 256) : ''),
    problem: retry?.problem ?? providerProblem(queryOf(interaction.request).get('problem')),
    providers: providerButtons(interaction),
    password: passwordPlace(interaction),
    passkey: await passkeyAsk(interaction, undefined, signInForm(interaction).hidden),
    cancel: formTarget(interaction, 'deny'),
  })
  const retryAfterSeconds = retry?.retryAfterSeconds
  const options = retryAfterSeconds === undefined ? {} : { retryAfterSeconds }
  sendInteractionPage(interaction, retry?.status ?? 200, page, options)
}

/** Where the password form is: behind a link, it is shown to whoever follows it, and to who typed into it. */
function passwordPlace({
  context,
  details,
  request,
}: InteractionContext): 'shown' | 'none' | { readonly link: string } {
  const { password } = context.settings()
  const wanted = password === 'on' || queryOf(request).has('password') || request.method === 'POST'
  if (password === 'off') return 'none'
  return wanted ? 'shown' : { link: `${interactionPath(details.uid)}?password` }
}

/** Checks name and password; a success starts a new session. */
export async function signIn(interaction: InteractionContext): Promise<void> {
  const { context, request } = interaction
  if (await goesOn(interaction)) return
  if (context.settings().password === 'off') return showSignInPage(interaction)
  const { form, address } = issuerRequestOf(request)
  const username = form.get('username') ?? ''
  const typed = { username, password: form.get('password') ?? '' }
  const client = interaction.client.id
  const result = await tryPassword(context, request, typed, { visitor: interaction.details.uid, about: { client } })
  if (result.kind === 'slow') {
    const { retryAfterSeconds } = result
    return showSignInPage(interaction, { username, problem: BUSY, status: 429, retryAfterSeconds })
  }
  if (result.kind === 'wrong') return showSignInPage(interaction, { username, problem: WRONG, status: 400 })
  const { user, amr, named } = result
  const second = await context.secondFactors.has(user.sub)
  if (second && !(await spareCode(interaction, user))) return showCode(interaction, user)
  if (await showEnrolment(requiredPlace(interaction), user)) return
  await context.record('login.success', { sub: user.sub, ...named, client, address })
  keepDevice(context, interaction.response, result.deviceKey)
  await finishSignIn(interaction, user.sub, amr)
}

/** Whether a remembered browser is enough: never where more than a password is asked for. */
async function spareCode({ context, details, request }: InteractionContext, user: UserRecord): Promise<boolean> {
  const needed = await levelNeeded(context, details.params, user)
  return (needed === undefined || needed === 'pwd') && (await isRemembered(context, request, user))
}

/** Forgets who this browser is signed in as, and asks for another account. */
export async function switchAccount(interaction: InteractionContext): Promise<void> {
  const { context, provider, details, response } = interaction
  await leaveSession(context, provider, details, response)
  noteSignedOut(context, response)
  details.prompt = { ...details.prompt, name: 'login', reasons: ['account_switch'] }
  details.lastSubmission = undefined
  if (!(await persistUnlessEnded(interaction))) return sendExpired(interaction.context, response)
  redirect(response, interactionPath(details.uid))
}

/** The form for name and password; a browser's outlives its interaction. */
function signInForm(interaction: InteractionContext): FormTarget {
  const { action, hidden } = formTarget(interaction, 'sign-in')
  const anew = sealedRequest(interaction)
  return { action, hidden: anew === undefined ? hidden : { ...hidden, [ANEW_FIELD]: anew } }
}

/** Asks who is there anew: what the account lacked it may have by now. */
export async function signInAgain(interaction: InteractionContext): Promise<void> {
  const { context, details, response } = interaction
  details.lastSubmission = undefined
  if (!(await persistUnlessEnded(interaction))) return sendExpired(context, response)
  redirect(response, interactionPath(details.uid))
}

function askedResources({ context, details }: InteractionContext): readonly string[] {
  const { resource, scope } = details.params
  return readParameters(context, resource, scope).map((share) => share.resource.name)
}

/** Signs in by a passkey; one that is refused leads to the page again. */
export async function takePasskey(interaction: InteractionContext): Promise<void> {
  if (await goesOn(interaction)) return
  if ((await signInByPasskey(interaction)) || (await askForCodeAgain(interaction, PASSKEY_REFUSED))) return
  await showSignInPage(interaction, { username: '', problem: PASSKEY_REFUSED, status: 400 })
}

/** Between the password and the client, where a second factor has to be. */
function requiredPlace(interaction: InteractionContext): EnrolPlace {
  const { context } = interaction
  return {
    ...enrolPlace(interaction),
    passedAt: passedAt(interaction),
    ways: (user) => requiredWays(context, user),
    page: (user, offer) => requiredPage(context, user, offer, formTarget(interaction, 'deny')),
  }
}

/** Carries out a form that adds a factor; one that comes too late begins with the sign-in again. */
export function enrolStep(step: EnrolStep): (interaction: InteractionContext) => Promise<void> {
  return async (interaction) => {
    const places = [requiredPlace(interaction), unmetPlace(interaction)]
    for (const place of places) if (await takeEnrolment(place, step)) return
    redirect(interaction.response, interactionPath(interaction.details.uid))
  }
}

/** Checks the code that comes after the password; one that comes too late begins with the password again. */
export async function takeCode(interaction: InteractionContext): Promise<void> {
  if ((await signInByCode(interaction)) === 'expired')
    redirect(interaction.response, interactionPath(interaction.details.uid))
}
