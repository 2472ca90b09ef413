import type { IncomingMessage, ServerResponse } from 'node:http'
import type Provider from 'oidc-provider'
import type { IssuerContext } from '../context.ts'
import type { IssuerRequest } from './request.ts'
import { sendError } from './response.ts'

/** A request to an endpoint, and what is known of it. */
export interface EndpointCall {
  readonly context: IssuerContext
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly incoming: IssuerRequest
  /** As the library knows it. */
  readonly path: string
}

/** A step before the library reads a request. False: it has been answered. */
export type Preparation = (call: EndpointCall) => Promise<boolean> | boolean

/** A step around the library's endpoints. */
export type Middleware = Parameters<Provider['use']>[0]

/** What happens to a request to one endpoint of the library, in this order. */
export interface EndpointSteps {
  readonly before: readonly Preparation[]
  /** Outermost first. */
  readonly around: readonly Middleware[]
}

/** Takes a request through steps until one has answered it; whether none has. */
export async function prepare(steps: readonly Preparation[], call: EndpointCall): Promise<boolean> {
  for (const step of steps) if (!(await step(call))) return false
  return true
}

/** Many steps as one: each goes around those that come after it. */
export function inOrder(steps: readonly Middleware[]): Middleware {
  return steps.reduceRight<Middleware>(
    (inner, outer) => (ctx, next) => outer(ctx, () => inner(ctx, next)),
    (_ctx, next) => next(),
  )
}

/** Refuses other methods. */
export function only(...methods: readonly string[]): Preparation {
  return ({ request, response }) => {
    if (methods.includes(request.method ?? '')) return true
    const allow = methods.join(', ')
    sendError(response, 405, 'invalid_request', `use ${allow}`, { allow })
    return false
  }
}

/** Answers that nothing is at the path. */
export function sendNotFound(response: ServerResponse): false {
  sendError(response, 404, 'not_found', 'nothing is here')
  return false
}

const PREFLIGHT_SECONDS = 3600

/**
 * Lets pages of any origin send `method` and read the answer, and answers the question that browsers ask before that. Nothing
 * behind it may go by cookies.
 */
export function forAnyOrigin(method: string): Preparation {
  return ({ request, response }) => {
    response.setHeader('access-control-allow-origin', '*')
    response.setHeader('access-control-expose-headers', 'WWW-Authenticate')
    if (request.method !== 'OPTIONS') return true
    response.setHeader('access-control-allow-methods', method)
    response.setHeader('access-control-max-age', String(PREFLIGHT_SECONDS))
    response.setHeader('vary', 'Access-Control-Request-Headers')
    const wanted = request.headers['access-control-request-headers']
    if (wanted !== undefined) response.setHeader('access-control-allow-headers', wanted)
    response.writeHead(204)
    response.end()
    return false
  }
}
