import { siteOf } from '../context.ts'
import { GUARD_FIELD, guardValue, isFromElsewhere, isGuarded } from '../http/form-guard.ts'
import { issuerRequestOf } from '../http/request.ts'
import { sendPage } from '../http/response.ts'
import { tryPassword } from '../http/try-password.ts'
import { nameTakenPage, providerProblemPage } from '../pages/provider.ts'
import type { Pending } from './attempt-records.ts'
import { refuse } from './departure.ts'
import { type CallbackRequest, connectAndLand } from './onward.ts'

const WRONG = 'That name and password don’t belong together. Try again.'
const SECOND_FACTOR =
  'This account asks for a code, too. Sign in to it under “Your account” first, and connect the provider there.'
const BUSY = 'There were too many tries. Wait a moment, then try again.'

/** Keeps the identity for ten minutes, and asks for another way in to the account that it is to be connected with. */
export async function showNameTaken(call: CallbackRequest, found: Omit<Pending, 'kind'>): Promise<void> {
  const { parts, request, response } = call
  const key = await parts.attempts.begin(request, response, { kind: 'pending', ...found })
  show(call, key, found.arrival.person.askedName, undefined, 200)
}

/** Takes the password of the account; what waits is connected with it and signed in, in one go. */
export async function answerNameTaken(call: CallbackRequest): Promise<void> {
  const { parts, party, request, response } = call
  const { form, address } = issuerRequestOf(request)
  const key = form.get('pending') ?? ''
  const pending = await parts.attempts.find(request, key, 'pending')
  const guarded = isGuarded(parts.masterKey, guardedBy(key), form) && !isFromElsewhere(request, parts.settings().origin)
  const byPassword = parts.settings().password !== 'off'
  if (!guarded || !byPassword || pending?.issuer !== party.provider.issuer) {
    await refuse(parts, party.provider.id, 'state_mismatch', 'a form that no sign-in waits for')
    return sendPage(response, 400, providerProblemPage(siteOf(parts), 'state_mismatch'))
  }
  const username = form.get('username') ?? ''
  const typed = { username, password: form.get('password') ?? '' }
  const result = await tryPassword(parts, request, typed, { visitor: key })
  if (result.kind === 'slow') return show(call, key, username, BUSY, 429)
  if (result.kind === 'wrong') return show(call, key, username, WRONG, 400)
  // A further way in would open the account without what it asks for beside the password.
  if (await parts.secondFactors.has(result.user.sub)) return show(call, key, username, SECOND_FACTOR, 400)
  const spent = await parts.attempts.spend(key)
  if (!spent) return sendPage(response, 400, providerProblemPage(siteOf(parts), 'state_mismatch'))
  await parts.record('login.success', { sub: result.user.sub, address })
  return connectAndLand(call, pending, result.user.sub)
}

function show(call: CallbackRequest, key: string, username: string, problem: string | undefined, status: number): void {
  const { parts, party, response } = call
  const { id, name } = party.provider
  const { password, providers } = parts.settings()
  const guard = guardValue(parts.masterKey, guardedBy(key))
  const hidden = { pending: key, [GUARD_FIELD]: guard }
  const others = providers.filter((provider) => provider.id !== id)
  const page = nameTakenPage({
    site: siteOf(parts),
    provider: name,
    username,
    form: password === 'off' ? undefined : { action: `/oauth/providers/${id}/connect`, hidden },
    providers: others.map((provider) => ({
      name: provider.name,
      url: `/oauth/providers/${provider.id}/start?${new URLSearchParams(hidden)}`,
    })),
    problem,
  })
  sendPage(response, status, page)
}

/** What the anti-forgery value of the page is made from. */
export function guardedBy(key: string): string {
  return `provider pending ${key}`
}
