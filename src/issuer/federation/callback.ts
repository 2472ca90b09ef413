import { queryOf } from '../http/request.ts'
import { redirect, sendPage } from '../http/response.ts'
import { providerProblemPage } from '../pages/provider.ts'
import { admit, connect, enter } from './admission.ts'
import { reasonOf, receive } from './arrival.ts'
import type { Arrival, Attempt, Purpose } from './attempt-records.ts'
import { callbackUrl, depart, refuse } from './departure.ts'
import type { SignInReason } from './landing.ts'
import { showNameTaken } from './name-taken.ts'
import { type CallbackRequest, connectAndLand, isOver, landLogin, OVER, problem } from './onward.ts'
import { isFault, orFault, plain } from './provider/provider-fault.ts'
import { isIssuer } from './provider/provider-metadata.ts'

/** Takes somebody back from a provider (OpenID Connect Core §3.1.2.5). */
export async function answerCallback(call: CallbackRequest): Promise<void> {
  const { parts, party, request } = call
  const query = queryOf(request)
  const state = one(query, 'state') ?? ''
  const attempt = await parts.attempts.find(request, state, 'attempt')
  const ours = attempt?.provider === party.provider.id && attempt.issuer === party.provider.issuer
  if (attempt === undefined || !ours) return mismatch(call, 'no attempt of this browser at this provider')
  const read = await orFault(() => party.metadata())
  if (isFault(read)) return problem(call, attempt.purpose, reasonOf(read))
  // RFC 9207 §2.4: before anything of the response is used.
  const iss = one(query, 'iss')
  const promised = read.server.authorization_response_iss_parameter_supported === true
  if (query.has('iss') ? iss === undefined || !isIssuer(read.server.issuer, iss) : promised)
    return mismatch(call, 'iss is not this provider’s')
  const error = one(query, 'error')
  const twice = ['error', 'code'].some((name) => query.getAll(name).length > 1)
  if (twice || (error === undefined && !query.has('code'))) return mismatch(call, 'no response with one code or error')
  if (!(await parts.attempts.spend(state))) return mismatch(call, 'the response came a second time')
  if (error !== undefined) return takeError(call, attempt, error, one(query, 'error_description') ?? '')
  return takeCode(call, attempt)
}

async function takeCode(call: CallbackRequest, attempt: Attempt): Promise<void> {
  const { parts, party, request } = call
  // Made from the file, never from what the browser says of the host.
  const callback = new URL(callbackUrl(parts, party.provider.id))
  callback.search = queryOf(request).toString()
  const arrived = await receive(parts, party, callback, attempt)
  if (arrived.kind === 'arrived') {
    if (attempt.leastScopes) party.scopes.least = true
    return land(call, attempt, arrived.arrival)
  }
  if (arrived.reason === 'provider_misconfigured' && arrived.detail.startsWith('invalid_scope')) {
    return tryLeastScopes(call, attempt, arrived)
  }
  if (arrived.reason === 'reauthentication_not_proven' && attempt.purpose.kind === 'interaction') {
    await refuse(parts, party.provider.id, arrived.reason, arrived.detail)
    if (await call.landing.unproven(call, attempt.purpose.uid)) return
  }
  return problem(call, attempt.purpose, arrived)
}

async function takeError(call: CallbackRequest, attempt: Attempt, error: string, description: string): Promise<void> {
  const detail = plain(description === '' ? error : `${error}: ${description}`)
  if (error === 'invalid_scope') {
    const fault = { reason: 'provider_misconfigured', detail: `invalid_scope: ${detail}` } as const
    return tryLeastScopes(call, attempt, fault)
  }
  const reasons: Readonly<Record<string, SignInReason>> = {
    server_error: 'provider_unreachable',
    temporarily_unavailable: 'provider_unreachable',
    invalid_request: 'provider_misconfigured',
    unauthorized_client: 'provider_misconfigured',
    unsupported_response_type: 'provider_misconfigured',
  }
  const reason = Object.hasOwn(reasons, error) ? reasons[error] : undefined
  return problem(call, attempt.purpose, { reason: reason ?? 'denied_by_provider', detail })
}

/** Once more with no scopes but those that every provider has. */
async function tryLeastScopes(
  call: CallbackRequest,
  attempt: Attempt,
  fault: { readonly reason: SignInReason; readonly detail: string },
): Promise<void> {
  const { parts, party, request, response } = call
  if (attempt.leastScopes) return problem(call, attempt.purpose, fault)
  const departure = await depart(parts, party, request, response, attempt.purpose, attempt, true)
  return departure.kind === 'go' ? redirect(response, departure.url) : problem(call, attempt.purpose, fault)
}

/** Goes on with what the person came for. */
async function land(call: CallbackRequest, { purpose, actId }: Attempt, arrival: Arrival): Promise<void> {
  const { parts, party } = call
  if (purpose.kind === 'connect') return landConnection(call, purpose, arrival)
  if (purpose.kind === 'proof') return landProof(call, purpose.pending, arrival)
  const link = await parts.store.providerLink(party.provider.issuer, arrival.person.person)
  if (link !== undefined && (await isOver(call, { purpose, actId }, link.sub))) return problem(call, purpose, OVER)
  const admission = await admit(parts, party, arrival)
  if (admission.kind === 'admitted') {
    return landLogin(call, purpose, { sub: admission.user.sub, signIn: admission.signIn, ...arrival })
  }
  if (admission.reason !== 'name_taken') return problem(call, purpose, admission)
  await refuse(parts, party.provider.id, admission.reason, admission.detail)
  return showNameTaken(call, { provider: party.provider.id, issuer: party.provider.issuer, purpose, actId, arrival })
}

async function landConnection(
  call: CallbackRequest,
  { sub, session }: Extract<Purpose, { kind: 'connect' }>,
  arrival: Arrival,
): Promise<void> {
  const { parts, party, landing } = call
  // An act of revocation that ends the session comes before all of it, or after it.
  const outcome = await parts.store.unit(
    async () => {
      await parts.store.hold({ wholeSub: sub })
      const now = await landing.session(call)
      return now?.sub === sub && now.uid === session ? connect(parts, party, arrival, sub) : undefined
    },
    (result) => result !== undefined,
  )
  if (outcome === undefined) return mismatch(call, 'the session that wanted to connect is over')
  landing.connected(call, outcome, party.provider.name, sub)
}

/** The identity that waits is connected with the account that this sign-in leads to. */
async function landProof(call: CallbackRequest, key: string, arrival: Arrival): Promise<void> {
  const { parts, party, request } = call
  const pending = await parts.attempts.find(request, key, 'pending')
  const wanted = pending && parts.parties.byIssuer(pending.issuer)
  if (pending === undefined || wanted === undefined || !(await parts.attempts.spend(key))) {
    return mismatch(call, 'the sign-in that waited is over')
  }
  const link = await parts.store.providerLink(party.provider.issuer, arrival.person.person)
  if (link === undefined) {
    return problem(call, pending.purpose, { reason: 'not_allowed', detail: 'the proof has no account here' })
  }
  // The way in that shows the account must be open itself.
  const proof = await enter(parts, party, arrival, link.sub)
  if (proof.kind !== 'admitted') return problem(call, pending.purpose, proof)
  return connectAndLand({ ...call, party: wanted }, pending, link.sub)
}

/** A response that nobody here waits for: nothing is spent, and nothing is told of it. */
async function mismatch({ parts, party, response }: CallbackRequest, detail: string): Promise<void> {
  await refuse(parts, party.provider.id, 'state_mismatch', detail)
  sendPage(response, 400, providerProblemPage(new URL(parts.settings().origin).host, 'state_mismatch'))
}

/** A parameter that stands once; undefined for none, and for one that stands twice. */
function one(query: URLSearchParams, name: string): string | undefined {
  const values = query.getAll(name)
  return values.length === 1 ? values[0] : undefined
}
