import { queryOf } from '../http/request.ts'
import { redirect, sendPage } from '../http/response.ts'
import { providerProblemPage } from '../pages/provider.ts'
import { admit, connect, enter } from './admission.ts'
import { reasonOf, receive } from './arrival.ts'
import type { Arrival, Attempt, Purpose } from './attempt-records.ts'
import { callbackUrl, depart, refuse } from './departure.ts'
import { showNameTaken } from './name-taken.ts'
import { type CallbackVisit, connectAndLand, landLogin, problem } from './onward.ts'
import { isFault, orFault, plain } from './provider/provider-fault.ts'
import type { SignInReason } from './sign-in-reason.ts'

/** Takes somebody back from a provider (OpenID Connect Core §3.1.2.5). */
export async function answerCallback(visit: CallbackVisit): Promise<void> {
  const { parts, party, request } = visit
  const query = queryOf(request)
  const state = one(query, 'state') ?? ''
  const attempt = await parts.attempts.find(request, state, 'attempt')
  const ours = attempt?.provider === party.provider.id && attempt.issuer === party.provider.issuer
  if (attempt === undefined || !ours) return mismatch(visit, 'no attempt of this browser at this provider')
  const read = await orFault(() => party.metadata())
  if (isFault(read)) return problem(visit, attempt.purpose, reasonOf(read))
  // RFC 9207 §2.4: before anything of the response is used.
  const iss = one(query, 'iss')
  const promised = read.server.authorization_response_iss_parameter_supported === true
  if (query.has('iss') ? iss !== read.server.issuer : promised) return mismatch(visit, 'iss is not this provider’s')
  if (!(await parts.attempts.spend(state))) return mismatch(visit, 'the response came a second time')
  const error = one(query, 'error')
  if (error !== undefined) return takeError(visit, attempt, error, one(query, 'error_description') ?? '')
  if (one(query, 'code') === undefined) return mismatch(visit, 'a response without code')
  return takeCode(visit, attempt)
}

async function takeCode(visit: CallbackVisit, attempt: Attempt): Promise<void> {
  const { parts, party, request } = visit
  // Made from the file, never from what the browser says of the host.
  const callback = new URL(callbackUrl(parts, party.provider.id))
  callback.search = queryOf(request).toString()
  const arrived = await receive(parts, party, callback, attempt)
  if (arrived.kind === 'arrived') {
    if (attempt.leastScopes) party.scopes.least = true
    return land(visit, attempt.purpose, arrived.arrival)
  }
  if (arrived.reason === 'provider_misconfigured' && arrived.detail.startsWith('invalid_scope')) {
    return tryLeastScopes(visit, attempt, arrived)
  }
  if (arrived.reason === 'reauthentication_not_proven' && attempt.purpose.kind === 'interaction') {
    await refuse(parts, party.provider.id, arrived.reason, arrived.detail)
    if (await visit.landing.unproven(visit, attempt.purpose.uid)) return
  }
  return problem(visit, attempt.purpose, arrived)
}

async function takeError(visit: CallbackVisit, attempt: Attempt, error: string, description: string): Promise<void> {
  const detail = plain(description === '' ? error : `${error}: ${description}`)
  if (error === 'invalid_scope') {
    const fault = { reason: 'provider_misconfigured', detail: `invalid_scope: ${detail}` } as const
    return tryLeastScopes(visit, attempt, fault)
  }
  const reasons: Readonly<Record<string, SignInReason>> = {
    server_error: 'provider_unreachable',
    temporarily_unavailable: 'provider_unreachable',
    invalid_request: 'provider_misconfigured',
    unauthorized_client: 'provider_misconfigured',
    unsupported_response_type: 'provider_misconfigured',
  }
  const reason = Object.hasOwn(reasons, error) ? reasons[error] : undefined
  return problem(visit, attempt.purpose, { reason: reason ?? 'denied_by_provider', detail })
}

/** Once more with no scopes but those that every provider has. */
async function tryLeastScopes(
  visit: CallbackVisit,
  attempt: Attempt,
  fault: { readonly reason: SignInReason; readonly detail: string },
): Promise<void> {
  const { parts, party, request, response } = visit
  if (attempt.leastScopes) return problem(visit, attempt.purpose, fault)
  const departure = await depart(parts, party, request, response, attempt.purpose, attempt, true)
  return departure.kind === 'go' ? redirect(response, departure.url) : problem(visit, attempt.purpose, fault)
}

/** Goes on with what the person came for. */
async function land(visit: CallbackVisit, purpose: Purpose, arrival: Arrival): Promise<void> {
  const { parts, party } = visit
  if (purpose.kind === 'connect') return landConnection(visit, purpose, arrival)
  if (purpose.kind === 'proof') return landProof(visit, purpose.pending, arrival)
  const admission = await admit(parts, party, arrival)
  if (admission.kind === 'admitted') {
    return landLogin(visit, purpose, { sub: admission.user.sub, signIn: admission.signIn, ...arrival })
  }
  if (admission.reason !== 'name_taken') return problem(visit, purpose, admission)
  await refuse(parts, party.provider.id, admission.reason, admission.detail)
  return showNameTaken(visit, { provider: party.provider.id, issuer: party.provider.issuer, purpose, arrival })
}

async function landConnection(
  visit: CallbackVisit,
  { sub, session }: Extract<Purpose, { kind: 'connect' }>,
  arrival: Arrival,
): Promise<void> {
  const { parts, party, landing } = visit
  const now = await landing.session(visit)
  if (now?.sub !== sub || now.uid !== session) return mismatch(visit, 'the session that wanted to connect is over')
  landing.connected(visit, await connect(parts, party, arrival, sub), party.provider.name, sub)
}

/** The identity that waits is connected with the account that this sign-in leads to. */
async function landProof(visit: CallbackVisit, key: string, arrival: Arrival): Promise<void> {
  const { parts, party, request } = visit
  const pending = await parts.attempts.find(request, key, 'pending')
  const wanted = pending && parts.parties.byIssuer(pending.issuer)
  if (pending === undefined || wanted === undefined || !(await parts.attempts.spend(key))) {
    return mismatch(visit, 'the sign-in that waited is over')
  }
  const link = await parts.store.providerLink(party.provider.issuer, arrival.person.person)
  if (link === undefined) {
    return problem(visit, pending.purpose, { reason: 'not_allowed', detail: 'the proof has no account here' })
  }
  // The way in that shows the account must be open itself.
  const proof = await enter(parts, party, arrival, link.sub)
  if (proof.kind !== 'admitted') return problem(visit, pending.purpose, proof)
  return connectAndLand({ ...visit, party: wanted }, pending, link.sub)
}

/** A response that nobody here waits for: nothing is spent, and nothing is told of it. */
async function mismatch({ parts, party, response }: CallbackVisit, detail: string): Promise<void> {
  await refuse(parts, party.provider.id, 'state_mismatch', detail)
  sendPage(response, 400, providerProblemPage(new URL(parts.settings().origin).host, 'state_mismatch'))
}

/** A parameter that stands once; undefined for none, and for one that stands twice. */
function one(query: URLSearchParams, name: string): string | undefined {
  const values = query.getAll(name)
  return values.length === 1 ? values[0] : undefined
}
