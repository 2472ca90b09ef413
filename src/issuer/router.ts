import type { IncomingMessage, ServerResponse } from 'node:http'
import type Provider from 'oidc-provider'
import { StoreError } from '../store/store.ts'
import { answerAccount, isAccountPath } from './account/account.ts'
import { accountLanding } from './account/provider-landing.ts'
import { browserSessions } from './account/sessions.ts'
import { countRegistration, mayRegister } from './clients/registration.ts'
import { faultOf, type IssuerContext, siteOf } from './context.ts'
import { isSecure } from './http/cookies.ts'
import { noteActs } from './http/ended-meanwhile.ts'
import { endpointMethods, metadataAlias, ROUTES } from './http/endpoints.ts'
import { goesByCookie, isEmbedded } from './http/navigation.ts'
import { prepareForProvider, readBodyOrAnswer } from './http/provider-request.ts'
import { type IssuerRequest, openIssuerRequest, pathOf, pinOrigin } from './http/request.ts'
import { sendError, sendPage } from './http/response.ts'
import { answerInteraction } from './interaction/interactions.ts'
import { interactionLanding } from './interaction/provider-sign-in.ts'
import { answerAsset } from './pages/assets.ts'
import { errorPage } from './pages/message.ts'
import { SESSION_IDLE_SECONDS } from './provider/provider.ts'
import { recordRefusal } from './refusal-line.ts'

const PREFLIGHT_SECONDS = 3600

/** Lets pages of any origin read the answer. Nothing behind it goes by cookies. */
export function allowAnyOrigin(response: ServerResponse): void {
  response.setHeader('access-control-allow-origin', '*')
  response.setHeader('access-control-expose-headers', 'WWW-Authenticate')
}

/** Answers the question that browsers ask before a request of another origin. */
export function answerPreflight(request: IncomingMessage, response: ServerResponse, methods: string): void {
  allowAnyOrigin(response)
  response.setHeader('access-control-allow-methods', methods)
  response.setHeader('access-control-max-age', String(PREFLIGHT_SECONDS))
  response.setHeader('vary', 'Access-Control-Request-Headers')
  const asked = request.headers['access-control-request-headers']
  if (asked !== undefined) response.setHeader('access-control-allow-headers', asked)
  response.writeHead(204)
  response.end()
}

export type LibraryHandler = ReturnType<Provider['callback']>

/** The engine of the moment; another takes its place when keys or features change. */
export interface CurrentEngine {
  readonly provider: Provider
  readonly handler: LibraryHandler
}

/** Answers one request to a path of the issuer. Never throws. */
export async function answerRequest(
  context: IssuerContext,
  engine: CurrentEngine,
  request: IncomingMessage,
  response: ServerResponse,
  address: string,
): Promise<void> {
  const path = pathOf(request)
  try {
    const incoming = openIssuerRequest(request, address, context.now())
    pinOrigin(request, context.settings().origin, address)
    hardenAnswer(context, response)
    await context.trail.speaking(
      () => answerEndpoint(context, engine, request, response, incoming),
      () => recordRefusal(context, request, response, path),
    )
  } catch (error) {
    answerFault(context, response, error)
  }
}

async function answerEndpoint(
  context: IssuerContext,
  engine: CurrentEngine,
  request: IncomingMessage,
  response: ServerResponse,
  incoming: IssuerRequest,
): Promise<void> {
  try {
    const path = pathOf(request)
    const { address } = incoming
    if (goesByCookie(path)) {
      if (isEmbedded(request)) return await refuseEmbedded(context, request, response, address)
      await noteActs(context, request)
    }
    if (path.startsWith('/oauth/assets/')) return sendAsset(request, response, path)
    if (path.startsWith('/oauth/interaction/')) {
      return await interact(context, engine.provider, request, response, incoming, path)
    }
    const sessions = browserSessions(context, engine.provider, SESSION_IDLE_SECONDS)
    if (isAccountPath(path)) return await answerAccount({ context, sessions }, request, response)
    if (path.startsWith('/oauth/providers/')) {
      const landing = { ...interactionLanding(context, engine.provider), ...accountLanding(context, sessions) }
      return await context.federation.answer(landing, { request, response })
    }
    await useLibrary(context, engine, request, response, incoming)
  } catch (error) {
    answerFault(context, response, error)
  }
}

const HSTS_SECONDS = 31_536_000

/** Holds for every answer of the issuer, the library's too. */
function hardenAnswer({ settings }: IssuerContext, response: ServerResponse): void {
  response.setHeader('x-content-type-options', 'nosniff')
  if (isSecure(settings().origin)) response.setHeader('strict-transport-security', `max-age=${HSTS_SECONDS}`)
}

/** Another page's script or frame asked for a page that goes by cookie. */
async function refuseEmbedded(
  context: IssuerContext,
  request: IncomingMessage,
  response: ServerResponse,
  address: string,
): Promise<void> {
  const { 'sec-fetch-dest': destination, 'sec-fetch-mode': mode, 'sec-fetch-site': site } = request.headers
  // The path's first part alone: the rest may name an interaction.
  const page = /^\/(?:oauth\/)?[a-z]+/.exec(pathOf(request))?.[0]
  await context.record('page.refused', { page, destination, mode, site, address }, 'warn')
  const words = {
    title: 'This page stands alone',
    what: 'Something on another page asked for it. It is for people only, in a window or tab of its own.',
    advice: 'Open it from the app again, or type its address yourself.',
  }
  sendPage(response, 403, errorPage({ site: siteOf(context), ...words, code: undefined, requestId: undefined }))
}

async function useLibrary(
  context: IssuerContext,
  { handler }: CurrentEngine,
  request: IncomingMessage,
  response: ServerResponse,
  incoming: IssuerRequest,
): Promise<void> {
  const path = metadataAlias(pathOf(request), context.settings().identifier)
  if (path === ROUTES.registration) {
    if (context.settings().registration === 'off') return sendNotFound(response)
    if (request.method === 'OPTIONS') return answerPreflight(request, response, 'POST')
    allowAnyOrigin(response)
    if (request.method === 'POST' && !(await mayRegister(context, incoming.address))) {
      return sendError(response, 429, 'temporarily_unavailable', 'too many registrations', { 'retry-after': '900' })
    }
  }
  const methods = path === ROUTES.registration ? ['POST', 'OPTIONS'] : endpointMethods(path)
  if (methods === undefined) return sendNotFound(response)
  if (!methods.includes(request.method ?? '')) {
    const headers = { allow: methods.join(', ') }
    return sendError(response, 405, 'invalid_request', `use ${methods.join(', ')}`, headers)
  }
  request.url = `${path}${(request.url ?? '').slice(pathOf(request).length)}`
  if (!(await prepareForProvider(context, request, response, incoming))) return
  await handler(request, response)
  if (path === ROUTES.registration && response.statusCode === 201) await countRegistration(context, incoming.address)
}

async function interact(
  context: IssuerContext,
  provider: Provider,
  request: IncomingMessage,
  response: ServerResponse,
  incoming: IssuerRequest,
  path: string,
): Promise<void> {
  if (!['GET', 'HEAD', 'POST'].includes(request.method ?? '')) {
    return sendError(response, 405, 'invalid_request', 'use GET or POST', { allow: 'GET, HEAD, POST' })
  }
  if (request.method === 'POST') {
    const body = await readBodyOrAnswer(request, response)
    if (body === undefined) return
    incoming.form = new URLSearchParams(body.toString('utf8'))
  }
  await answerInteraction(context, provider, request, response, path)
}

function sendAsset(request: IncomingMessage, response: ServerResponse, path: string): void {
  const asked = request.method === 'GET' || request.method === 'HEAD'
  const asset = asked ? answerAsset(path, request.headers['if-none-match']) : undefined
  if (asset === undefined) {
    sendNotFound(response)
    return
  }
  response.writeHead(asset.status, { ...asset.headers })
  response.end(request.method === 'HEAD' ? undefined : asset.body)
}

function sendNotFound(response: ServerResponse): void {
  sendError(response, 404, 'not_found', 'nothing is here')
}

/** A fault of ours: told to the log in full, to the client in a word. */
function answerFault(context: IssuerContext, response: ServerResponse, error: unknown): void {
  context.tell('issuer.fault', faultOf(error), 'error')
  if (response.writableEnded) return
  if (response.headersSent) {
    response.destroy()
    return
  }
  const headers = { 'retry-after': '5' }
  if (error instanceof StoreError) {
    sendError(response, 503, 'temporarily_unavailable', 'the store can’t be reached; try again', headers)
  } else sendError(response, 500, 'server_error', 'something went wrong here')
}
