import { type Answer, renderAnswer, wantsHtml } from '../../core/answer.ts'
import { type Denial, denial } from '../../core/denial.ts'
import { BROWSER_PATH } from '../../core/paths/router.ts'
import { requestKind } from '../../core/request-kind.ts'
import { sendAnswer } from '../answers.ts'
import type { OwnRequest } from '../call.ts'
import type { BrowserAnswer, BrowserCall, BrowserEndpointOptions } from './browser-call.ts'
import { takeCallback } from './callback.ts'
import { returnPlace } from './return-place.ts'
import { showSession } from './session-endpoint.ts'
import { beginSignIn, SIGN_IN_UNAVAILABLE } from './sign-ins.ts'
import { askSignOut, signOut } from './sign-out.ts'
import { createTicket } from './ticket-endpoint.ts'

type Endpoint = (call: BrowserCall) => Promise<BrowserAnswer>

const ENDPOINTS: ReadonlyMap<string, Readonly<Record<string, Endpoint>>> = new Map(
  Object.entries({
    'sign-in': { GET: startSignIn },
    callback: { GET: takeCallback },
    'sign-out': { GET: askSignOut, HEAD: askSignOut, POST: signOut },
    session: { GET: showSession, HEAD: showSession },
    tickets: { POST: createTicket },
  }),
)

/** Answers what browsers need of the gateway itself, below {@link BROWSER_PATH}. Nothing here ever reaches an upstream. */
export class BrowserEndpoints {
  readonly #options: BrowserEndpointOptions

  constructor(options: BrowserEndpointOptions) {
    this.#options = options
  }

  handle(reserved: OwnRequest): void {
    reserved.record.place = '(browser)'
    this.#answer({ ...this.#options, reserved }).then(
      (answer) => send(reserved, answer),
      () => send(reserved, { denial: SIGN_IN_UNAVAILABLE }),
    )
  }

  async #answer(call: BrowserCall): Promise<BrowserAnswer> {
    const { routing, head } = call.reserved
    const methods = ENDPOINTS.get(routing.target.readings[0]?.slice(BROWSER_PATH.length + 1) ?? '')
    if (methods === undefined) return { denial: denial('no_route', 'there is nothing at this path of the gateway') }
    const endpoint = Object.hasOwn(methods, head.method) ? methods[head.method] : undefined
    if (endpoint !== undefined) return endpoint(call)
    const allow = Object.keys(methods)
    return { denial: denial('method_not_allowed', `use ${allow.join(', ')}`, { allow }) }
  }
}

function send({ request, response, record, head }: OwnRequest, outcome: BrowserAnswer): void {
  if (outcome.denial !== undefined) {
    record.refused(outcome.denial)
    record.reason = outcome.denial.reason
  }
  const answer = outcome.answer ?? refusal(outcome.denial, head, record.id)
  record.status = answer.status
  const headers = [...answer.headers, 'X-Request-Id', record.id]
  if (!response.destroyed)
    sendAnswer(request, response, outcome.answer === undefined ? answer : { ...answer, headers }, {
      awaitsContinue: false,
      close: false,
    })
}

function refusal(denied: Denial, { method, rawHeaders }: OwnRequest['head'], requestId: string): Answer {
  return renderAnswer(denied, {
    requestId,
    wantsHtml: wantsHtml(method, rawHeaders),
    isHead: method === 'HEAD',
    corsHeaders: [],
  })
}

/** `sign-in?return_to=/path`: the target is a path on this host, or nothing. A prefetch signs nobody in. */
async function startSignIn({ reserved, backChannel }: BrowserCall): Promise<BrowserAnswer> {
  const { policy, head, routing } = reserved
  const wanted = new URLSearchParams(routing.target.query).get('return_to') ?? ''
  const place = returnPlace(policy, routing.host, wanted)
  if (place === undefined) return { denial: denial('no_route', 'no route of this host accepts sessions') }
  const { resource, target } = place
  if (requestKind(head.method, head.rawHeaders) === 'prefetch') {
    const challenge = { resourceMetadata: resource.metadataUrl, scope: [] }
    return { denial: denial('no_token', 'nobody signs in by a prefetch', { challenge }) }
  }
  const ask = { host: routing.host, resource: resource.identifier, target: target.path + target.query, again: 0 }
  return { answer: await beginSignIn(policy, backChannel, ask, head.rawHeaders) }
}
