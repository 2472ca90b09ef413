import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Permit } from '../core/decide.ts'
import type { Denial, Reason } from '../core/denial.ts'
import type { Evidence } from '../core/token.ts'
import type { Log } from '../observe/log.ts'
import { forward } from '../proxy/forward.ts'
import type { ForwardOutcome } from '../proxy/outcome.ts'
import type { Verifier } from '../token/verifier.ts'
import type { ActiveConfig } from './active-config.ts'
import {
  announcesTooMuch,
  answerFor,
  bodyTooLarge,
  type ClientFault,
  denialForFault,
  sendAnswer,
  sendRawAnswer,
  upstreamDenial,
} from './answers.ts'
import { FastPathRequest } from './fast-path/request.ts'
import { Forwarding, type Permitted, prepareFor } from './forwarding.ts'
import {
  gatherEvidence,
  type Judgment,
  judgeEvidence,
  judgeWithoutToken,
  type RouteMatch,
  type Routing,
  routeRequest,
} from './judge.ts'
import { type RequestHead, requestHeadOf } from './request-head.ts'
import type { Ending, Recorder, RequestRecord } from './request-log.ts'
import { SendTimeouts } from './send-timeout.ts'

export interface GatewayOptions {
  /** The file in force. */
  readonly generation: () => ActiveConfig
  readonly verifier: Verifier
  readonly recorder: Recorder
  readonly log: Log
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** An authorization was used. @param now NumericDate, seconds. */
  readonly noteUse: (gid: string, now: number) => void
  /** Answers a request for a reserved path. */
  readonly serveReserved: (reserved: ReservedRequest) => void
}

export interface ReservedRequest {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly exchange: RequestRecord
  readonly located: Extract<Routing, { kind: 'reserved' }>
  /** Ends the request with an answer of the gateway's own. */
  readonly refuse: (denial: Denial) => void
}

/** One request on its way through. */
interface Call {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly awaitsContinue: boolean
  readonly asked: RequestHead
  readonly generation: ActiveConfig
  readonly exchange: RequestRecord
  /** An answer has been given that ends the connection. */
  ending: boolean
}

type Bytes = Pick<ForwardOutcome, 'bytesIn' | 'bytesOut'>

const NO_BYTES: Bytes = { bytesIn: 0, bytesOut: 0 }

// After these it isn't sure where the next request would begin, or a body is coming that nobody wants.
const ENDS_CONNECTION: ReadonlySet<Reason> = new Set<Reason>(['malformed_request', 'body_too_large'])

/** The sequence of a request from its head to its end. Rules are core's; what upgrades need instead is in `Upgrades`. */
export class Gateway {
  readonly #options: GatewayOptions
  /** By connection: what its parser refuses may belong to the request that is being answered. */
  readonly #current = new WeakMap<Duplex, Call>()
  readonly #untaken = new SendTimeouts()

  constructor(options: GatewayOptions) {
    this.#options = options
  }

  /** @param awaitsContinue The client sends its body only after `100 Continue`. */
  request(request: IncomingMessage, response: ServerResponse, awaitsContinue: boolean): void {
    const asked = requestHeadOf(request)
    const generation = this.#options.generation()
    const located = routeRequest(generation.policy, asked)
    const exchange = this.#options.recorder.begin(asked.method, located.client.requestId)
    const call = { request, response, awaitsContinue, asked, generation, exchange, ending: false }
    // What took the lane is no business of the parser's.
    if (!(request instanceof FastPathRequest)) this.#current.set(request.socket, call)
    exchange.note(located)
    try {
      this.#place(call, located)
    } catch (error) {
      this.#fail(call, error)
    }
  }

  /** What node's parser, or the clock, has ended: answered while nothing else is under way on the connection, else cut. */
  refused(socket: Duplex, fault: ClientFault): void {
    const call = this.#current.get(socket)
    const busy = call !== undefined && !call.response.writableFinished
    if (busy && call.ending && fault !== 'gone') return
    // Bytes of ours in the middle of another answer, an earlier pipelined one too, would be taken for part of it.
    const spoken = busy && (call.request.complete || call.response.headersSent || call.response.socket === null)
    if (fault === 'gone' || !socket.writable || spoken) {
      socket.destroy()
      return
    }
    const denied = denialForFault(fault)
    const exchange = busy ? call.exchange : this.#options.recorder.begin('', undefined)
    const to = { method: exchange.method, rawHeaders: [], requestId: exchange.id, route: undefined }
    exchange.refused(denied)
    this.#options.recorder.end(exchange, { outcome: 'refused', reason: denied.reason, ...NO_BYTES })
    sendRawAnswer(socket, answerFor(denied, to))
  }

  #place(call: Call, located: Routing) {
    switch (located.kind) {
      case 'deny':
        return this.#deny(call, located.denial)
      case 'reserved': {
        const { request, response, exchange } = call
        const refuse = (denied: Denial): void => this.#deny(call, denied)
        if (call.awaitsContinue) response.writeContinue()
        return this.#options.serveReserved({ request, response, exchange, located, refuse })
      }
      case 'route':
        return this.#judge(call, located)
    }
  }

  #judge(call: Call, match: RouteMatch) {
    const now = this.#now()
    const early = judgeWithoutToken(match, call.asked, now)
    if (early !== undefined) return this.#follow(call, match, early)
    const evidence = gatherEvidence(this.#options.verifier, match, call.asked, now)
    if (!(evidence instanceof Promise)) return this.#conclude(call, match, evidence)
    evidence.then((late) => this.#conclude(call, match, late)).catch((error: unknown) => this.#fail(call, error))
  }

  #conclude(call: Call, match: RouteMatch, evidence: Evidence) {
    if (call.response.destroyed) return this.#end(call, { outcome: 'client_closed', reason: undefined, ...NO_BYTES })
    if (evidence.kind === 'verified') call.exchange.token = evidence.token
    this.#follow(call, match, judgeEvidence(match, call.asked, evidence, this.#now()))
  }

  #follow(call: Call, match: RouteMatch, judgment: Judgment) {
    switch (judgment.kind) {
      case 'deny':
        return this.#deny(call, judgment.denial)
      case 'answer':
        return this.#preflight(call, judgment)
      case 'permit':
        return this.#forward(call, match, judgment.permit)
    }
  }

  #forward(call: Call, match: RouteMatch, permit: Permit) {
    const { asked, exchange, generation, request, response } = call
    const upstreams = generation.upstreams.get(match.route)
    if (upstreams === undefined) throw new Error('a route without upstreams was selected')
    const now = this.#now()
    const member = upstreams.choose()
    const permitted: Permitted = { policy: generation.policy, asked, match, permit, exchange, now }
    const prepared = prepareFor(permitted, member.upstream)
    if (prepared.kind === 'deny') return this.#deny(call, prepared.denial)
    const { maxBody } = match.route
    if (announcesTooMuch(request, maxBody)) return this.#deny(call, bodyTooLarge(maxBody))
    if (permit.token?.gid !== undefined) this.#options.noteUse(permit.token.gid, now)
    exchange.decidedAt = performance.now()
    if (call.awaitsContinue) response.writeContinue()
    const input = new Forwarding(permitted, upstreams, member, prepared)
    forward(permit, input, request, response, (outcome) => this.#finish(call, outcome))
  }

  #finish(call: Call, outcome: ForwardOutcome) {
    const { exchange } = call
    switch (outcome.kind) {
      case 'completed':
        return this.#end(call, okEnding(outcome))
      case 'client_closed':
        return this.#end(call, { ...outcome, outcome: 'client_closed', reason: undefined })
      case 'body_too_large': {
        const denied = bodyTooLarge(exchange.route?.maxBody)
        if (!outcome.headSent) return this.#deny(call, denied, outcome)
        return this.#end(call, { ...outcome, outcome: 'refused', reason: denied.reason })
      }
      case 'failed': {
        const denied = upstreamDenial(outcome)
        if (!outcome.headSent) return this.#deny(call, denied, outcome)
        exchange.detail = denied.description
        return this.#end(call, { ...outcome, outcome: 'failed', reason: denied.reason })
      }
    }
  }

  #preflight(call: Call, { status, headers }: { readonly status: number; readonly headers: readonly string[] }) {
    call.exchange.status = status
    call.exchange.decidedAt = performance.now()
    sendAnswer(
      call.request,
      call.response,
      { status, headers, body: '' },
      { awaitsContinue: call.awaitsContinue, close: false },
    )
    this.#end(call, { outcome: 'ok', reason: undefined, ...NO_BYTES })
  }

  /** Refuses; the exchange ends when the answer has gone, so that a closing server waits for it. */
  #deny(call: Call, denied: Denial, { bytesIn }: Bytes = NO_BYTES) {
    const { asked, exchange, response } = call
    exchange.refused(denied)
    const answer = answerFor(denied, { ...asked, requestId: exchange.id, route: exchange.route })
    const outcome = denied.reason.startsWith('upstream_') ? 'failed' : 'refused'
    const ending = { outcome, reason: denied.reason, bytesIn, bytesOut: answer.body.length } as const
    if (response.destroyed) return this.#end(call, { ...ending, outcome: 'client_closed', reason: undefined })
    response.once('close', () => this.#end(call, ending))
    this.#untaken.watch(response)
    call.ending = ENDS_CONNECTION.has(denied.reason)
    sendAnswer(call.request, response, answer, { awaitsContinue: call.awaitsContinue, close: call.ending })
  }

  /** A bug of ours costs this request alone, and is never a pass. */
  #fail(call: Call, error: unknown) {
    this.#options.log.error('request.fault', { request_id: call.exchange.id, fault: faultText(error) })
    call.exchange.status = 500
    this.#end(call, { outcome: 'failed', reason: undefined, ...NO_BYTES })
    if (call.response.headersSent) return void call.response.destroy()
    const nothing = { status: 500, headers: ['Content-Length', '0'], body: '' }
    sendAnswer(call.request, call.response, nothing, { awaitsContinue: call.awaitsContinue, close: true })
  }

  #end(call: Call, ending: Ending) {
    this.#options.recorder.end(call.exchange, ending)
  }

  #now(): number {
    return this.#options.now() / 1_000
  }
}

function okEnding({ bytesIn, bytesOut, firstByteMs }: Bytes & { readonly firstByteMs: number }): Ending {
  return { outcome: 'ok', reason: undefined, bytesIn, bytesOut, upstreamMs: firstByteMs }
}

/** What a bug has to say, for the log. */
export function faultText(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
