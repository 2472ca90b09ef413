import type { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Permit } from '../core/decide.ts'
import { type Denial, denial } from '../core/denial.ts'
import { tunnelProtocol } from '../core/request-headers.ts'
import { clientResponseHeaders } from '../core/response-headers.ts'
import type { Upstream } from '../core/route.ts'
import type { Evidence } from '../core/token.ts'
import type { ForwardInput } from '../proxy/forward.ts'
import type { ForwardOutcome } from '../proxy/outcome.ts'
import { tunnel } from '../proxy/tunnel.ts'
import type { ActiveConfig } from './active-config.ts'
import { answerFor, bodyTooLarge, sendRawAnswer, upstreamDenial } from './answers.ts'
import { faultText, type GatewayOptions } from './gateway.ts'
import {
  gatherEvidence,
  judgeEvidence,
  judgeWithoutToken,
  type Prepared,
  prepare,
  type RouteMatch,
  routeRequest,
} from './judge.ts'
import { hasBody, type RequestHead, requestHeadOf } from './request-head.ts'
import type { RequestRecord } from './request-log.ts'
import type { Tunnels } from './tunnels.ts'

export type UpgradeOptions = Omit<GatewayOptions, 'serveReserved'> & { readonly tunnels: Tunnels }

const NO_PROTOCOL = denial('malformed_request', 'nothing at this path speaks another protocol')

/** One upgrade on its way through. */
interface Call {
  readonly request: IncomingMessage
  readonly socket: Socket
  readonly head: Buffer
  readonly asked: RequestHead
  readonly generation: ActiveConfig
  readonly exchange: RequestRecord
}

/**
 * Whether a request may leave HTTP for a tunnel: a GET without a body for a protocol whose bytes are no HTTP requests. Others are
 * answered as if they had not asked (RFC 9110 §7.8): a body would end up in the tunnel, unjudged.
 */
export function mayUpgrade(request: IncomingMessage): boolean {
  if (request.method !== 'GET' || request.httpVersion !== '1.1' || hasBody(request)) return false
  return tunnelProtocol(request.rawHeaders) !== undefined
}

/** The sequence of an upgrade: judged like any request, then tunnelled. Node has no response for these, so answers are raw. */
export class Upgrades {
  readonly #options: UpgradeOptions

  constructor(options: UpgradeOptions) {
    this.#options = options
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (!(socket instanceof Socket)) return void socket.destroy()
    // Node has let go of the socket: an error that nobody hears would end the process.
    socket.on('error', () => undefined)
    const asked = requestHeadOf(request)
    const generation = this.#options.generation()
    const located = routeRequest(generation.policy, asked)
    const exchange = this.#options.recorder.begin(asked.method, located.client.requestId)
    exchange.note(located)
    const call = { request, socket, head, asked, generation, exchange }
    if (located.kind === 'deny') this.#deny(call, located.denial)
    else if (located.kind === 'reserved') this.#deny(call, NO_PROTOCOL)
    else this.#judge(call, located).catch((error: unknown) => this.#fail(call, error))
  }

  async #judge(call: Call, match: RouteMatch): Promise<void> {
    const now = this.#options.now() / 1_000
    const early = judgeWithoutToken(match, call.asked, now)
    const judged =
      early ?? this.#conclude(call, match, await gatherEvidence(this.#options.verifier, match, call.asked, now))
    if (call.socket.destroyed) this.#end(call, { outcome: 'client_closed', reason: undefined, bytesIn: 0, bytesOut: 0 })
    else if (judged.kind === 'permit') this.#tunnel(call, match, judged.permit)
    else if (judged.kind === 'deny') this.#deny(call, judged.denial)
    else this.#deny(call, NO_PROTOCOL)
  }

  #conclude(call: Call, match: RouteMatch, evidence: Evidence) {
    if (evidence.kind === 'verified') call.exchange.token = evidence.token
    return judgeEvidence(match, call.asked, evidence, this.#options.now() / 1_000)
  }

  #tunnel(call: Call, match: RouteMatch, permit: Permit) {
    const { asked, exchange, generation, request, socket, head } = call
    const upstreams = generation.upstreams.get(match.route)
    if (upstreams === undefined) throw new Error('a route without upstreams was selected')
    const now = this.#options.now() / 1_000
    const member = upstreams.choose()
    const towards = (upstream: Upstream): Prepared =>
      prepare(generation.policy, match, asked, permit, { upstream, requestId: exchange.id, upgrade: true, now })
    const prepared = towards(member.upstream)
    if (prepared.kind === 'deny') return this.#deny(call, prepared.denial)
    if (permit.token?.gid !== undefined) this.#options.noteUse(permit.token.gid, now)
    exchange.decidedAt = performance.now()
    const input: ForwardInput = {
      ...tunnelTerms(call, match, () => this.#options.recorder.release(exchange)),
      ...{ method: asked.method, target: prepared.target, headers: prepared.headers, upstreams, member },
      towards: (upstream) => {
        const other = towards(upstream)
        return other.kind === 'ready' ? other : undefined
      },
    }
    const opened = tunnel(permit, input, request, socket, head, (outcome) => {
      this.#options.tunnels.remove(open)
      this.#finish(call, outcome)
    })
    const open = { token: permit.token, close: () => opened.close() }
    this.#options.tunnels.add(open)
  }

  #finish(call: Call, outcome: ForwardOutcome) {
    switch (outcome.kind) {
      case 'completed':
        call.exchange.status = outcome.status
        return this.#end(call, { ...outcome, outcome: 'ok', reason: undefined, upstreamMs: outcome.firstByteMs })
      case 'client_closed':
        return this.#end(call, { ...outcome, outcome: 'client_closed', reason: undefined })
      case 'body_too_large':
        return this.#deny(call, bodyTooLarge(0))
      case 'failed': {
        const denied = upstreamDenial(outcome)
        if (!outcome.headSent) return this.#deny(call, denied)
        call.exchange.detail = denied.description
        return this.#end(call, { ...outcome, outcome: 'failed', reason: denied.reason })
      }
    }
  }

  #deny(call: Call, denied: Denial) {
    const { asked, exchange, socket } = call
    exchange.refused(denied)
    const answer = answerFor(denied, { ...asked, requestId: exchange.id, route: exchange.route })
    const outcome = denied.reason.startsWith('upstream_') ? 'failed' : 'refused'
    this.#end(call, { outcome, reason: denied.reason, bytesIn: 0, bytesOut: answer.body.length })
    sendRawAnswer(socket, answer)
  }

  /** A bug of ours costs this request alone, and is never a pass. */
  #fail(call: Call, error: unknown) {
    this.#options.log.error('request.fault', { request_id: call.exchange.id, fault: faultText(error) })
    this.#end(call, { outcome: 'failed', reason: undefined, bytesIn: 0, bytesOut: 0 })
    call.socket.destroy()
  }

  #end(call: Call, ending: Parameters<GatewayOptions['recorder']['end']>[1]) {
    this.#options.recorder.end(call.exchange, ending)
  }
}

/** How the answer to an upgrade is put in the client's terms. */
function tunnelTerms(
  { asked, exchange }: Call,
  { route, client }: RouteMatch,
  onOpen: () => void,
): Pick<ForwardInput, 'timeouts' | 'maxBody' | 'rewriteHead' | 'transformBody'> {
  return {
    timeouts: route.timeouts,
    maxBody: undefined,
    rewriteHead: (status, rawHeaders) => {
      exchange.status = status
      const upgrade = status === 101
      if (upgrade) onOpen()
      return clientResponseHeaders({ route, client, requestHeaders: asked.rawHeaders, rawHeaders, upgrade })
    },
    transformBody: () => undefined,
  }
}
