import { countRegistration, mayRegister, readRegistration } from '../clients/registration.ts'
import type { IssuerContext } from '../context.ts'
import { pass, readBodyOrAnswer, refuse } from './provider-request.ts'
import { isJson, issuerRequestOf } from './request.ts'
import { sendError } from './response.ts'
import { type Middleware, type Preparation, sendNotFound } from './steps.ts'

/** Answers that there is no registration where the file says so. */
export const registrationIsOn: Preparation = ({ context, response }) =>
  context.settings().registration !== 'off' || sendNotFound(response)

/** Refuses clients of an address that has registered too many. */
export const limitRegistrations: Preparation = async ({ context, request, response, incoming }) => {
  if (request.method !== 'POST' || (await mayRegister(context, incoming.address))) return true
  sendError(response, 429, 'temporarily_unavailable', 'too many registrations', { 'retry-after': '900' })
  return false
}

/** Counts what was registered. */
export function countRegistrations(context: IssuerContext): Middleware {
  return async (ctx, next) => {
    await next()
    if (ctx.status === 201) await countRegistration(context, issuerRequestOf(ctx.req).address)
  }
}

/** Larger than any client of ours needs; each registration is a row that somebody has to keep. */
const LARGEST_REGISTRATION = 8192

/** Reads what a client registers; the library sees what may be registered of it. */
export const readRegistrationBody: Preparation = async ({ context, request, response, incoming }) => {
  if (request.method !== 'POST') return true
  const body = await readBodyOrAnswer(request, response)
  if (body === undefined) return false
  incoming.stampMs = context.now()
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

function parseObject(body: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined
  } catch {
    return undefined
  }
}
