import type { Duplex } from 'node:stream'
import type { Answer } from '../core/answer.ts'
import type { Permit } from '../core/decide.ts'
import { type Denial, denial } from '../core/denial.ts'
import type { Evidence, VerifiedToken } from '../core/token.ts'
import { forward } from '../proxy/forward.ts'
import type { ForwardOutcome, Overtaken } from '../proxy/outcome.ts'
import { tunnel } from '../proxy/tunnel.ts'
import {
  announcesTooMuch,
  answerFor,
  bodyTooLarge,
  type ClientFault,
  denialForFault,
  sendAnswer,
  sendFault,
  sendRawAnswer,
  upstreamDenial,
} from './answers.ts'
import { beginSignIn, plainAnswer, SIGN_IN_UNAVAILABLE, signInAsk, stepFor } from './browser/sign-ins.ts'
import {
  type Bytes,
  type Call,
  ENDS_CONNECTION,
  type GatewayOptions,
  hasLeft,
  type Incoming,
  NO_BYTES,
  type ReservedRequest,
  type UpgradeOffer,
} from './call.ts'
import { Forwarding, prepareFor, standingOf } from './forwarding.ts'
import {
  isSignOut,
  type Judgment,
  judgeEvidence,
  judgeWithoutToken,
  ownRouting,
  type RouteMatch,
  type Routing,
  routeRequest,
  signOutRouting,
} from './judge.ts'
import type { RequestHead } from './request-head.ts'
import { type Ending, faultText, NO_HEAD, okEnding } from './request-log.ts'
import { SendTimeouts } from './send-timeout.ts'

const NO_PROTOCOL = denial('malformed_request', 'nothing at this path speaks another protocol')

/** The sequence of a request from its head to its end, whether it asks for an answer or for a tunnel. Rules are core's. */
export class Gateway {
  readonly #options: GatewayOptions
  readonly #untaken = new SendTimeouts()

  constructor(options: GatewayOptions) {
    this.#options = options
  }

  /** Takes a request whose turn on its connection has come. */
  request(incoming: Incoming): Call {
    const active = this.#options.active()
    const routing = routeRequest(active.policy, incoming.head)
    const record = this.#options.recorder.begin(incoming.head, routing.client.requestId)
    const call: Call = { incoming, active, record, match: undefined, ending: false }
    record.note(routing)
    try {
      this.#place(call, routing)
    } catch (error) {
      this.#fail(call, error)
    }
    return call
  }

  /** Whether the route of a request lets it leave HTTP for this protocol (lower case). */
  tunnels(head: RequestHead, protocol: string): boolean {
    const routing = routeRequest(this.#options.active().policy, head)
    return routing.kind === 'route' && routing.route.upgrades.includes(protocol)
  }

  /** Answers what is no request, on its bare socket. @param call The unanswered request that it belongs to. */
  refused(socket: Duplex, fault: Exclude<ClientFault, 'gone'>, call: Call | undefined): void {
    const denied = denialForFault(fault)
    const record = call?.record ?? this.#options.recorder.begin(NO_HEAD, undefined)
    const to = { method: record.method, rawHeaders: [], requestId: record.id, route: undefined }
    record.refused(denied)
    this.#options.recorder.end(record, { outcome: 'refused', reason: denied.reason, ...NO_BYTES })
    sendRawAnswer(socket, answerFor(denied, to))
  }

  #place(call: Call, routing: Routing) {
    switch (routing.kind) {
      case 'deny':
        return this.#deny(call, routing.denial)
      case 'reserved':
        return this.#reserved(call, routing)
      case 'route':
        return this.#judge(call, routing)
      case 'self':
        return this.#preflight(call, { kind: 'answer', status: 204, headers: ['Cache-Control', 'no-store'] })
    }
  }

  #reserved(call: Call, routing: ReservedRequest['routing'], token?: VerifiedToken) {
    const { head, request, response, awaitsContinue } = call.incoming
    // Who answers here takes origin-form only.
    request.url = routing.target.path + routing.target.query
    if (awaitsContinue) response.writeContinue()
    const refuse = (denied: Denial): void => this.#deny(call, denied)
    const { record, active } = call
    this.#options.serveReserved({ request, response, record, routing, head, policy: active.policy, refuse, token })
  }

  #judge(call: Call, match: RouteMatch) {
    const { head } = call.incoming
    if (isSignOut(match)) return this.#reserved(call, signOutRouting(match))
    const now = this.#now()
    const early = judgeWithoutToken(match, head, now)
    if (early !== undefined) return this.#follow(call, match, early)
    call.match = match
    const evidence = this.#options.credentials.gather(call.active.policy, match, head, call.record, now)
    if (!(evidence instanceof Promise)) return this.#conclude(call, match, evidence)
    evidence.then((late) => this.#resume(call, match, late)).catch((error: unknown) => this.#fail(call, error))
  }

  /** After a wait another file may be in force: what it says of the request holds. */
  #resume(call: Call, match: RouteMatch, evidence: Evidence) {
    if (this.#options.active() === call.active) return this.#conclude(call, match, evidence)
    const routing = this.#routeAgain(call)
    if (routing.kind !== 'route') return this.#place(call, routing)
    const early = judgeWithoutToken(routing, call.incoming.head, this.#now())
    if (early !== undefined) return this.#follow(call, routing, early)
    call.match = routing
    this.#conclude(call, routing, evidence)
  }

  /** By the file in force. */
  #routeAgain(call: Call): Routing {
    call.active = this.#options.active()
    const { head, upgrade } = call.incoming
    const routing = routeRequest(call.active.policy, head)
    call.record.note(routing)
    const mayTunnel =
      upgrade === undefined || (routing.kind === 'route' && routing.route.upgrades.includes(upgrade.protocol))
    return mayTunnel || routing.kind === 'deny'
      ? routing
      : { kind: 'deny', denial: NO_PROTOCOL, client: routing.client }
  }

  #conclude(call: Call, match: RouteMatch, evidence: Evidence) {
    if (hasLeft(call)) return this.#end(call, { outcome: 'client_closed', reason: undefined, ...NO_BYTES })
    if (evidence.kind === 'verified') call.record.token = evidence.token
    else call.record.evidence = evidence
    this.#follow(call, match, judgeEvidence(match, call.incoming.head, evidence, this.#now()))
  }

  #follow(call: Call, match: RouteMatch, judgment: Judgment) {
    switch (judgment.kind) {
      case 'deny':
        return this.#deny(call, call.record.throttled ?? judgment.denial)
      case 'answer':
        return this.#preflight(call, judgment)
      case 'permit':
        return this.#forward(call, match, judgment.permit)
    }
  }

  #forward(call: Call, match: RouteMatch, permit: Permit) {
    const { active, incoming, record } = call
    const { head, request, response, upgrade } = incoming
    const upstreams = active.upstreams.get(match.route)
    if (upstreams === undefined) return this.#reserved(call, ownRouting(active.policy, match), permit.token)
    const now = this.#now()
    const member = upstreams.choose()
    const onTunnel = upgrade === undefined ? undefined : () => this.#options.recorder.release(record)
    const isPrivate = this.#options.credentials.isPrivate(match, head, record)
    const { policy } = active
    const present = this.#options
    const permitted = { policy, incoming, head, match, permit, record, now, isPrivate, onTunnel, present }
    const prepared = prepareFor(permitted, member.upstream)
    if (prepared.kind === 'deny') return this.#deny(call, prepared.denial)
    const { maxBody } = match.route
    if (announcesTooMuch(request, maxBody)) return this.#deny(call, bodyTooLarge(maxBody))
    if (permit.token?.gid !== undefined) this.#options.noteUse(permit.token.gid, now)
    record.decidedAt = performance.now()
    const input = new Forwarding(permitted, upstreams, member, prepared)
    if (upgrade !== undefined) return this.#tunnel(call, match, permit, input, upgrade)
    forward(permit, input, request, response, (outcome) => this.#finish(call, match, permit, outcome))
  }

  #tunnel(call: Call, match: RouteMatch, permit: Permit, input: Forwarding, { early, response }: UpgradeOffer) {
    const { request } = call.incoming
    const { tunnels } = this.#options
    const onOpen = (): void => tunnels.add(open)
    const opened = tunnel(permit, input, request, response, early, onOpen, (outcome) => {
      tunnels.remove(open)
      if (outcome.kind === 'completed') call.record.status = outcome.status
      this.#finish(call, match, permit, outcome)
    })
    const open = { token: permit.token, close: () => opened.close() }
  }

  /** What permitted it has ended while it was on its way: it is judged once more where nothing of it is lost, else refused. */
  #overtaken(call: Call, match: RouteMatch, permit: Permit, outcome: Overtaken) {
    try {
      if (outcome.unsent && permit.token === undefined) return this.#place(call, this.#routeAgain(call))
      const evidence = standingOf(permit, this.#now())
      if (outcome.unsent) return this.#resume(call, match, evidence)
      const judgment = judgeEvidence(match, call.incoming.head, evidence, this.#now())
      if (judgment.kind !== 'deny') throw new TypeError('what was overtaken is still permitted')
      this.#deny(call, judgment.denial, outcome)
    } catch (error) {
      this.#fail(call, error)
    }
  }

  #finish(call: Call, match: RouteMatch, permit: Permit, outcome: ForwardOutcome) {
    const { record } = call
    switch (outcome.kind) {
      case 'overtaken':
        return this.#overtaken(call, match, permit, outcome)
      case 'completed':
        return this.#end(call, okEnding(outcome))
      case 'client_closed':
        return this.#end(call, { ...outcome, outcome: 'client_closed', reason: undefined })
      case 'body_too_large':
        return this.#unfinished(call, bodyTooLarge(record.route?.maxBody), 'refused', outcome)
      case 'failed':
        record.cause = outcome.detail
        return this.#unfinished(call, upstreamDenial(outcome), 'failed', outcome)
    }
  }

  #unfinished(call: Call, denied: Denial, outcome: 'refused' | 'failed', sent: Bytes & { readonly headSent: boolean }) {
    if (!sent.headSent) return this.#deny(call, denied, sent)
    call.record.detail = denied.description
    this.#end(call, { ...sent, outcome, reason: denied.reason })
  }

  #preflight({ incoming, record }: Call, { status, headers }: Extract<Judgment, { kind: 'answer' }>) {
    const { request, response, awaitsContinue } = incoming
    record.status = status
    record.decidedAt = performance.now()
    const answer = { status, headers: [...headers, 'X-Request-Id', record.id], body: '' }
    sendAnswer(request, response, answer, { awaitsContinue, close: false })
    this.#options.recorder.end(record, { outcome: 'ok', reason: undefined, ...NO_BYTES })
  }

  /** Refuses; the record ends when the answer has gone, so that a closing server waits for it. */
  #deny(call: Call, denied: Denial, { bytesIn }: Bytes = NO_BYTES) {
    const { incoming, record } = call
    record.refused(denied)
    if (denied.challenge?.signIn !== undefined) this.#options.noteWeakSignIn(denied, record.token)
    const step = stepFor(call, denied)
    if (step?.kind === 'sign_in') return this.#signIn(call, denied)
    const answer = step?.answer ?? plainAnswer(call, denied)
    const outcome = denied.reason.startsWith('upstream_') ? 'failed' : 'refused'
    call.ending = ENDS_CONNECTION.has(denied.reason) || incoming.upgrade !== undefined
    this.#answer(call, answer, { outcome, reason: denied.reason, bytesIn, bytesOut: answer.body.length })
  }

  #answer(call: Call, answer: Answer, ending: Ending) {
    const { request, response, awaitsContinue } = call.incoming
    call.record.status = answer.status
    if (hasLeft(call)) return this.#end(call, { ...ending, outcome: 'client_closed', reason: undefined })
    response.once('close', () => this.#end(call, ending))
    this.#untaken.watch(response)
    sendAnswer(request, response, answer, { awaitsContinue, close: call.ending })
  }

  /** Where the issuer is away, the answer says so. */
  #signIn(call: Call, denied: Denial) {
    const { match, active, incoming, record } = call
    if (match === undefined) throw new TypeError('a sign-in for nothing')
    const reason = denied.reason === 'no_token' ? 'sign_in_required' : denied.reason
    const answer = ({ headers, ...rest }: Answer): void => {
      const named = { ...rest, headers: [...headers, 'X-Request-Id', record.id] }
      this.#answer(call, named, { outcome: 'refused', reason, ...NO_BYTES })
    }
    beginSignIn(active.policy, this.#options.backChannel, signInAsk(match, denied), incoming.head.rawHeaders)
      .then(answer, () => this.#deny(call, SIGN_IN_UNAVAILABLE))
      .catch((error: unknown) => this.#fail(call, error))
  }

  /** A bug of ours costs this request alone, and is never a pass. */
  #fail(call: Call, error: unknown) {
    const { request, response, awaitsContinue } = call.incoming
    this.#options.log.error('request.fault', { request_id: call.record.id, fault: faultText(error) })
    call.record.status = 500
    this.#end(call, { outcome: 'failed', reason: undefined, ...NO_BYTES })
    sendFault(request, response, call.record.id, awaitsContinue)
  }

  #end(call: Call, ending: Ending) {
    this.#options.recorder.end(call.record, ending)
  }

  #now(): number {
    return this.#options.now() / 1_000
  }
}
