import { siteOf } from '../context.ts'
import { isGuarded } from '../http/form-guard.ts'
import { readBodyOrAnswer } from '../http/provider-request.ts'
import { issuerRequestOf, pathOf, queryOf } from '../http/request.ts'
import { redirect, sendError, sendPage } from '../http/response.ts'
import { providerProblemPage } from '../pages/provider.ts'
import type { Purpose } from './attempt-records.ts'
import { answerCallback } from './callback.ts'
import { depart } from './departure.ts'
import { NO_WISH } from './federation.ts'
import type { FederationParts } from './federation-parts.ts'
import type { Landing, ProviderRequest } from './landing.ts'
import { answerLogout } from './logout-endpoint.ts'
import { answerNameTaken, guardedBy } from './name-taken.ts'
import type { CallbackRequest } from './onward.ts'

type Step = (call: CallbackRequest) => Promise<void>

const STEPS: Readonly<Record<string, { readonly method: 'GET' | 'POST'; readonly step: Step }>> = {
  start: { method: 'GET', step: start },
  callback: { method: 'GET', step: answerCallback },
  connect: { method: 'POST', step: answerNameTaken },
  logout: { method: 'POST', step: answerLogout },
}

/** Answers a request to `/oauth/providers/<id>/…`. */
export async function answerProviders(parts: FederationParts, landing: Landing, asked: ProviderRequest): Promise<void> {
  const { request, response } = asked
  const [, id = '', name = ''] = /^\/oauth\/providers\/([a-z0-9-]{1,32})\/([a-z]+)$/.exec(pathOf(request)) ?? []
  const entry = Object.hasOwn(STEPS, name) ? STEPS[name] : undefined
  const party = parts.parties.byId(id)
  if (entry === undefined || party === undefined) return sendError(response, 404, 'not_found', 'nothing is here')
  if (request.method !== entry.method) {
    return sendError(response, 405, 'invalid_request', `use ${entry.method}`, { allow: entry.method })
  }
  // A form that signs in; what a provider sends is read where it is judged.
  if (name === 'connect') {
    const body = await readBodyOrAnswer(request, response)
    if (body === undefined) return
    issuerRequestOf(request).form = new URLSearchParams(body.toString('utf8'))
  }
  return entry.step({ parts, party, landing, ...asked })
}

/** Begins a sign-in to the account page, also from the provider's own list of apps; or the proof that another identity waits for. */
async function start(call: CallbackRequest): Promise<void> {
  const { parts, party, request, response } = call
  const query = queryOf(request)
  const pending = query.get('pending')
  const proof = pending !== null && isGuarded(parts.masterKey, guardedBy(pending), query)
  if (pending !== null && !proof) {
    return sendPage(response, 400, providerProblemPage(siteOf(parts), 'state_mismatch'))
  }
  const purpose: Purpose = pending === null ? { kind: 'account' } : { kind: 'proof', pending }
  const departure = await depart(parts, party, request, response, purpose, NO_WISH)
  if (departure.kind === 'go') return redirect(response, departure.url)
  call.landing.problem(call, undefined, departure.reason)
}
