import type { IncomingMessage, ServerResponse } from 'node:http'
import { matchResource, type Resource } from '../../core/resource.ts'
import { readAuthorizationParameters } from './authorization-parameters.ts'
import { ROUTES } from './endpoints.ts'
import { isFromElsewhere } from './form-guard.ts'
import { feedBody, isForm, LARGEST_BODY, queryOf, readBody } from './request.ts'
import { redirect, sendError } from './response.ts'
import type { EndpointCall, Preparation } from './steps.ts'

/**
 * The parameters with every `resource` in its registered spelling: the library compares them as they are written, and what
 * it stores has to be what tokens carry. What is not registered stays as it came, for the endpoint to refuse. Empty ones
 * are as good as absent (RFC 6749 §3.1).
 */
function canonicalResources(parameters: URLSearchParams, resources: readonly Resource[]): URLSearchParams {
  const written = new URLSearchParams()
  for (const [name, value] of parameters) {
    if (name !== 'resource') written.append(name, value)
    else if (value !== '') written.append(name, matchResource(resources, value)?.identifier ?? value)
  }
  return written
}

/** Checks the query's parameters, and writes them as the library may see them. */
export const readQuery: Preparation = ({ context, request, response, path }) => {
  const query = queryOf(request)
  const problem = parameterProblem(query, path)
  if (problem !== undefined) return refuse(response, problem)
  const { resources } = context.settings()
  const sent = canonicalResources(query, resources)
  // Of a POST the query says nothing of its own.
  const written = request.method === 'POST' ? sent : readAuthorizationParameters(sent, path, resources)
  request.url = written.size === 0 ? path : `${path}?${written}`
  return true
}

/** Leaves the library the path alone: all that the step goes by was kept when it was begun. */
export const dropQuery: Preparation = ({ request, path }) => {
  request.url = path
  return true
}

/** Takes the code of `verification_uri_complete` out of the query: it fills the form in, and the person sends it. */
export const keepUserCode: Preparation = ({ request, incoming, path }) => {
  const query = queryOf(request)
  incoming.userCode = (query.get('user_code') ?? '').slice(0, 64)
  query.delete('user_code')
  request.url = query.size === 0 ? path : `${path}?${query}`
  return true
}

/** Refuses the forms of other sites: people post to this endpoint from our own page. */
export const refuseForeignForm: Preparation = ({ context, request, response }) => {
  if (request.method !== 'POST' || !isFromElsewhere(request, context.settings().origin)) return true
  sendError(response, 403, 'invalid_request', 'the form was sent by a page of another site')
  return false
}

/** The body; undefined: it was too large or never came, and has been answered. */
export async function readBodyOrAnswer(
  request: IncomingMessage,
  response: ServerResponse,
): Promise<Buffer | undefined> {
  const body = await readBody(request)
  if (Buffer.isBuffer(body)) return body
  if (body === 'broken') response.destroy()
  else {
    const headers = { connection: 'close' }
    sendError(response, 413, 'invalid_request', `the body is larger than ${LARGEST_BODY} bytes`, headers)
  }
  return undefined
}

/**
 * Sends a browser that posts a request to the same request by address (OpenID Connect Core §3.1.2.1, RP-Initiated Logout §2):
 * sent by another site's form it comes without cookies, which are Lax; the GET that follows brings them.
 */
export const askAgainByGet: Preparation = async ({ request, response, path }) => {
  if (request.method !== 'POST') return true
  const body = await readBodyOrAnswer(request, response)
  if (body === undefined) return false
  if (!isForm(request)) return refuse(response, 'the body must be a form')
  const parameters = new URLSearchParams([...queryOf(request), ...new URLSearchParams(body.toString('utf8'))])
  const problem = parameterProblem(parameters, path)
  if (problem !== undefined) return refuse(response, problem)
  redirect(response, `${path}?${parameters}`)
  return false
}

/** Reads a posted form, checks its parameters, and hands the library those that it may see. */
export const readForm: Preparation = (call) => openForm(call, (form) => form)

/** The form of a device's code: the library would ask whether the code is right before it asks who is there. Approval comes later. */
export const readUserCodeForm: Preparation = (call) =>
  openForm(call, (form) => {
    if (form.has('user_code')) form.set('confirm', 'yes')
    return form
  })

async function openForm(call: EndpointCall, complete: (form: URLSearchParams) => URLSearchParams): Promise<boolean> {
  const { context, request, response, incoming, path } = call
  if (request.method !== 'POST') return true
  const body = await readBodyOrAnswer(request, response)
  if (body === undefined) return false
  incoming.stampMs = context.now()
  if (!isForm(request)) return body.length === 0 ? pass(request, body) : refuse(response, 'the body must be a form')
  const sent = new URLSearchParams(body.toString('utf8'))
  const problem = parameterProblem(new URLSearchParams([...queryOf(request), ...sent]), path)
  if (problem !== undefined) return refuse(response, problem)
  const { resources } = context.settings()
  incoming.form = complete(readAuthorizationParameters(canonicalResources(sent, resources), path, resources))
  return pass(request, Buffer.from(incoming.form.toString()))
}

/** Hands the library a body. */
export function pass(request: IncomingMessage, body: Buffer): true {
  feedBody(request, body)
  return true
}

/** Answers 400 with what is wrong with a request. */
export function refuse(response: ServerResponse, problem: string): false {
  sendError(response, 400, 'invalid_request', problem)
  return false
}

/** More parameters than any request of ours has. */
const MOST_PARAMETERS = 100
/** Of one parameter, in bytes as it reads once decoded: what a stranger sends may be kept for minutes. */
const LONGEST = 2048
/** Of all of them, names included. */
const LONGEST_IN_ALL = 8192

/** Parameters that may be longer, and where; none of them is kept, `state` apart. */
const LONGER: readonly { readonly name: string; readonly bytes: number; readonly at?: readonly string[] }[] = [
  { name: 'state', bytes: 4096 },
  // Access tokens carry groups, and ID tokens come back as hints.
  { name: 'token', bytes: 16_384, at: [ROUTES.introspection, ROUTES.revocation] },
  { name: 'id_token_hint', bytes: LONGEST_IN_ALL, at: [ROUTES.end_session] },
]

/** Why no endpoint takes these parameters at `path`; undefined: some may. */
function parameterProblem(parameters: URLSearchParams, path: string): string | undefined {
  if (parameters.size > MOST_PARAMETERS) return 'too many parameters'
  let inAll = 0
  for (const [name, value] of parameters) {
    // No parameter of OAuth has them, and what is stored or shown later should not.
    if (/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/.test(name + value)) return 'a parameter contains control characters'
    const longer = LONGER.find((each) => each.name === name && (each.at?.includes(path) ?? true))
    const bytes = Buffer.byteLength(value)
    const most = longer?.bytes ?? LONGEST
    if (Buffer.byteLength(name) > LONGEST) return 'the name of a parameter is too long'
    if (bytes > most) return `${name} is longer than ${most} bytes`
    inAll += Buffer.byteLength(name) + (name === 'token' ? Math.min(bytes, LONGEST) : bytes)
  }
  return inAll > LONGEST_IN_ALL ? `the parameters are longer than ${LONGEST_IN_ALL} bytes in all` : undefined
}
