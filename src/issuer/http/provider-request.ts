import type { IncomingMessage, ServerResponse } from 'node:http'
import { matchResource, type Resource } from '../../core/resource.ts'
import { readRegistration } from '../clients/registration.ts'
import type { IssuerContext } from '../context.ts'
import { readAuthorizationParameters } from './authorization-parameters.ts'
import { ROUTES } from './endpoints.ts'
import { isFromElsewhere } from './form-guard.ts'
import { parameterProblem } from './parameter-bounds.ts'
import { feedBody, type IssuerRequest, isForm, isJson, LARGEST_BODY, pathOf, queryOf, readBody } from './request.ts'
import { redirect, sendError } from './response.ts'

/**
 * The parameters with every `resource` in its registered spelling: the library compares them as they are written, and what
 * it stores has to be what tokens carry. What is not registered stays as it came, for the endpoint to refuse. Empty ones
 * are as good as absent (RFC 6749 §3.1).
 */
export function canonicalResources(parameters: URLSearchParams, resources: readonly Resource[]): URLSearchParams {
  const written = new URLSearchParams()
  for (const [name, value] of parameters) {
    if (name !== 'resource') written.append(name, value)
    else if (value !== '') written.append(name, matchResource(resources, value)?.identifier ?? value)
  }
  return written
}

/** Requests by form that a browser may as well send by address (OpenID Connect Core §3.1.2.1, RP-Initiated Logout §2). */
const AS_GET: ReadonlySet<string> = new Set([ROUTES.authorization, ROUTES.end_session])

/** Pages that people post to; forms of other sites have no business there. */
const PAGES: ReadonlySet<string> = new Set([ROUTES.code_verification, `${ROUTES.end_session}/confirm`])

/**
 * Makes a request ready for the library: parameters checked and in their registered spelling, the body read and bounded.
 * False: it has been answered.
 */
export async function prepareForProvider(
  context: IssuerContext,
  request: IncomingMessage,
  response: ServerResponse,
  incoming: IssuerRequest,
): Promise<boolean> {
  const query = queryOf(request)
  const problem = parameterProblem(query, pathOf(request))
  if (problem !== undefined) return refuse(response, problem)
  request.url = `${pathOf(request)}${writeQuery(context, request, query, incoming)}`
  if (request.method !== 'POST') return true
  if (PAGES.has(pathOf(request)) && isFromElsewhere(request, context.settings().origin)) {
    sendError(response, 403, 'invalid_request', 'the form was sent by a page of another site')
    return false
  }
  const body = await readBodyOrAnswer(request, response)
  if (body === undefined) return false
  if (AS_GET.has(pathOf(request))) return askAgainByGet(request, response, query, body)
  incoming.stampMs = context.now()
  if (pathOf(request) === ROUTES.registration) return openRegistration(request, response, body)
  if (isForm(request)) return openForm(context, request, response, incoming, body)
  return body.length === 0 ? pass(request, body) : refuse(response, 'the body must be a form')
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

/** Sent by another site's form a request comes without cookies, which are Lax; the GET that follows brings them. */
function askAgainByGet(
  request: IncomingMessage,
  response: ServerResponse,
  query: URLSearchParams,
  body: Buffer,
): false {
  if (!isForm(request)) return refuse(response, 'the body must be a form')
  const parameters = new URLSearchParams([...query, ...new URLSearchParams(body.toString('utf8'))])
  const problem = parameterProblem(parameters, pathOf(request))
  if (problem !== undefined) return refuse(response, problem)
  redirect(response, `${pathOf(request)}?${parameters}`)
  return false
}

function openForm(
  context: IssuerContext,
  request: IncomingMessage,
  response: ServerResponse,
  incoming: IssuerRequest,
  body: Buffer,
): boolean {
  const sent = new URLSearchParams(body.toString('utf8'))
  const problem = parameterProblem(new URLSearchParams([...queryOf(request), ...sent]), pathOf(request))
  if (problem !== undefined) return refuse(response, problem)
  const { resources } = context.settings()
  const form = readAuthorizationParameters(canonicalResources(sent, resources), pathOf(request), resources)
  // The library asks whether the code is right before it asks who is there; approval comes after sign-in here.
  if (pathOf(request) === ROUTES.code_verification && form.has('user_code')) form.set('confirm', 'yes')
  incoming.form = form
  return pass(request, Buffer.from(form.toString()))
}

/** Larger than any client of ours needs; each registration is a row that somebody has to keep. */
const LARGEST_REGISTRATION = 8192

function openRegistration(request: IncomingMessage, response: ServerResponse, body: Buffer): boolean {
  if (body.length > LARGEST_REGISTRATION) {
    sendError(response, 413, 'invalid_client_metadata', `a registration has at most ${LARGEST_REGISTRATION} bytes`)
    return false
  }
  const sent = isJson(request) ? parseObject(body) : undefined
  if (sent === undefined) return refuse(response, 'the body must be a JSON object')
  const read = readRegistration(sent)
  if (read.kind === 'good') return pass(request, Buffer.from(JSON.stringify(read.metadata)))
  sendError(response, 400, read.error, read.problem)
  return false
}

function pass(request: IncomingMessage, body: Buffer): true {
  feedBody(request, body)
  return true
}

/** The query as the library may see it. `verification_uri_complete` fills the form in; the person sends it. */
function writeQuery(
  context: IssuerContext,
  request: IncomingMessage,
  query: URLSearchParams,
  incoming: IssuerRequest,
): string {
  const { resources } = context.settings()
  const sent = canonicalResources(query, resources)
  // Of a POST the query says nothing of its own.
  const written = request.method === 'POST' ? sent : readAuthorizationParameters(sent, pathOf(request), resources)
  if (pathOf(request) === ROUTES.code_verification) {
    incoming.userCode = (written.get('user_code') ?? '').slice(0, 64)
    written.delete('user_code')
  }
  return written.size === 0 ? '' : `?${written.toString()}`
}

function parseObject(body: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined
  } catch {
    return undefined
  }
}

function refuse(response: ServerResponse, problem: string): false {
  sendError(response, 400, 'invalid_request', problem)
  return false
}
