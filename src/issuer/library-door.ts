import type { IncomingMessage, ServerResponse } from 'node:http'
import { feedBody, isForm, isJson, LARGEST_BODY, readBody } from './body.ts'
import { ROUTES } from './endpoints.ts'
import { isFromElsewhere } from './form-guard.ts'
import { type Incoming, pathOf, queryOf } from './incoming.ts'
import type { IssuerContext } from './issuer-context.ts'
import { sendError } from './page-answer.ts'
import { readRegistration } from './registration.ts'
import { canonicalResources, parameterProblem } from './resource-parameter.ts'

/** Pages that people post to; forms of other sites have no business there. */
const PAGES: ReadonlySet<string> = new Set([ROUTES.code_verification, `${ROUTES.end_session}/confirm`])

/**
 * Makes a request ready for the library: parameters checked and in their registered spelling, the body read and bounded.
 * False: it has been answered.
 */
export async function openDoor(
  context: IssuerContext,
  request: IncomingMessage,
  response: ServerResponse,
  incoming: Incoming,
): Promise<boolean> {
  const query = queryOf(request)
  const problem = parameterProblem(query)
  if (problem !== undefined) return refuse(response, problem)
  request.url = `${pathOf(request)}${writeQuery(context, request, query, incoming)}`
  if (request.method !== 'POST') return true
  if (PAGES.has(pathOf(request)) && isFromElsewhere(request, context.settings().origin)) {
    sendError(response, 403, 'invalid_request', 'the form was sent by a page of another site')
    return false
  }
  const body = await readBodyOrAnswer(request, response)
  if (body === undefined) return false
  incoming.stampMs = context.now()
  if (pathOf(request) === ROUTES.registration) return openRegistration(request, response, body)
  return isForm(request) ? openForm(context, request, response, incoming, body) : pass(request, body)
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

function openForm(
  context: IssuerContext,
  request: IncomingMessage,
  response: ServerResponse,
  incoming: Incoming,
  body: Buffer,
): boolean {
  const sent = new URLSearchParams(body.toString('utf8'))
  const problem = parameterProblem(sent)
  if (problem !== undefined) return refuse(response, problem)
  const form = canonicalResources(sent, context.settings().resources)
  // The library asks whether the code is right before it asks who is there; approval comes after sign-in here.
  if (pathOf(request) === ROUTES.code_verification && form.has('user_code')) form.set('confirm', 'yes')
  incoming.form = form
  return pass(request, Buffer.from(form.toString()))
}

function openRegistration(request: IncomingMessage, response: ServerResponse, body: Buffer): boolean {
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
  incoming: Incoming,
): string {
  const written = canonicalResources(query, context.settings().resources)
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
