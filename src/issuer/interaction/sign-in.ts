import { seconds, siteOf } from '../context.ts'
import { appendCookie, cookieName, deviceKeyOf, isSecure, keepDevice } from '../http/cookies.ts'
import { GUARD_FIELD, guardValue } from '../http/form-guard.ts'
import { issuerRequestOf } from '../http/request.ts'
import { redirect } from '../http/response.ts'
import type { FormTarget } from '../pages/form.ts'
import { signInPage } from '../pages/sign-in.ts'
import { readParameters } from '../tokens/resource-indicators.ts'
import {
  finish,
  type InteractionContext,
  interactionPath,
  persistUnlessEnded,
  sendExpired,
  sendInteractionPage,
} from './context.ts'
import { pageClient } from './provider-pages.ts'

const WRONG = 'That name and password don’t belong together. Try again.'
const BUSY = 'There were too many tries. Wait a moment, then try again.'

interface Retry {
  readonly username: string
  readonly problem: string
  readonly status: number
  readonly retryAfterSeconds?: number
}

/** The page that asks for name and password. */
export function showSignIn(visit: InteractionContext, retry?: Retry): void {
  const { context, client, interaction, redirectUri } = visit
  const hint = interaction.params.login_hint
  const page = signInPage({
    site: siteOf(context),
    form: formTarget(visit, 'sign-in'),
    client: pageClient(client, redirectUri),
    resources: askedResources(visit),
    username: retry?.username ?? (typeof hint === 'string' ? hint.slice(0, 256) : ''),
    problem: retry?.problem,
    cancel: formTarget(visit, 'deny'),
  })
  const retryAfterSeconds = retry?.retryAfterSeconds
  const options = retryAfterSeconds === undefined ? {} : { retryAfterSeconds }
  sendInteractionPage(visit, retry?.status ?? 200, page, options)
}

/** Checks name and password; a success starts a new session. */
export async function signIn(visit: InteractionContext): Promise<void> {
  const { context, request } = visit
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
    return showSignIn(visit, { username, problem: BUSY, status: 429, retryAfterSeconds })
  }
  if (result.kind === 'wrong') {
    await context.record('login.failure', about, 'warn')
    return showSignIn(visit, { username, problem: WRONG, status: 400 })
  }
  const { sub } = result.user
  await context.record('login.success', { sub, ...about })
  if (visit.interaction.session !== undefined && visit.interaction.session.accountId !== sub) await leaveSession(visit)
  keepDevice(context, visit.response, result.deviceKey)
  await finish(visit, { login: { accountId: sub, amr: [...result.amr], ts: seconds(context), remember: true } })
}

/** Forgets who this browser is signed in as, and asks for another account. */
export async function switchAccount(visit: InteractionContext): Promise<void> {
  const { interaction, response } = visit
  await leaveSession(visit)
  const { details } = interaction.prompt
  interaction.prompt = { name: 'login', reasons: ['account_switch'], details }
  interaction.lastSubmission = undefined
  if (!(await persistUnlessEnded(visit))) return sendExpired(visit.context, response)
  redirect(response, interactionPath(interaction.uid))
}

/** A form of this interaction. */
export function formTarget({ context, interaction }: InteractionContext, step: string): FormTarget {
  const { uid } = interaction
  return { action: interactionPath(uid, step), hidden: { [GUARD_FIELD]: guardValue(context.masterKey, uid) } }
}

function askedResources({ context, interaction }: InteractionContext): readonly string[] {
  const { resource, scope } = interaction.params
  return readParameters(context, resource, scope).map((share) => share.resource.name)
}

/** Ends the browser's session; the interaction goes on without one. */
async function leaveSession({ context, provider, interaction, response }: InteractionContext): Promise<void> {
  const { uid } = interaction.session ?? {}
  const session = uid === undefined ? undefined : await provider.Session.findByUid(uid)
  await session?.destroy()
  interaction.session = undefined
  const { origin } = context.settings()
  const name = cookieName('session', origin)
  for (const each of [name, `${name}.sig`]) {
    appendCookie(response, `${each}=; path=/; max-age=0; httponly; samesite=lax${isSecure(origin) ? '; secure' : ''}`)
  }
}
