import type { IncomingMessage, ServerResponse } from 'node:http'
import type Provider from 'oidc-provider'
import { answerAccount } from './account/account.ts'
import { accountLanding } from './account/provider-landing.ts'
import { ACCOUNT_PATH } from './account/request.ts'
import { browserSessions } from './account/sessions.ts'
import { faultOf, type IssuerContext, siteOf } from './context.ts'
import type { Endpoints } from './endpoints.ts'
import { isSecure } from './http/cookies.ts'
import { noteActs } from './http/ended-meanwhile.ts'
import { endpointAt, metadataAlias } from './http/endpoints.ts'
import { sendFault, shownPath } from './http/fault-answer.ts'
import { readBodyOrAnswer } from './http/provider-request.ts'
import { goesByCookie, isEmbedded, openIssuerRequest, pathOf, pinOrigin } from './http/request.ts'
import { sendPage } from './http/response.ts'
import { type EndpointCall, only, prepare, sendNotFound } from './http/steps.ts'
import { answerInteraction } from './interaction/interactions.ts'
import { interactionLanding } from './interaction/provider-sign-in.ts'
import { answerAsset } from './pages/assets.ts'
import { errorPage } from './pages/message.ts'
import { SESSION_IDLE_SECONDS } from './provider/provider.ts'
import { recordRefusal } from './refusal-line.ts'

type LibraryHandler = ReturnType<Provider['callback']>

/** The engine of the moment; another takes its place when keys or features change. */
export interface CurrentEngine {
  readonly provider: Provider
  readonly handler: LibraryHandler
  readonly endpoints: Endpoints
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
    const requestId = response.getHeader('x-request-id')
    await context.trail.speaking(
      { address, requestId: typeof requestId === 'string' ? requestId : undefined },
      () => answerEndpoint({ context, request, response, incoming, path }, engine),
      () => recordRefusal(context, request, response, path),
    )
  } catch (error) {
    answerFault(context, request, response, error)
  }
}

async function answerEndpoint(call: EndpointCall, engine: CurrentEngine): Promise<void> {
  const { context, request, response, path } = call
  try {
    if (goesByCookie(path)) {
      if (isEmbedded(request)) return await refuseEmbedded(call)
      await noteActs(context, request)
    }
    const own = OWN.find(({ under }) => path === under || path.startsWith(under.endsWith('/') ? under : `${under}/`))
    await (own === undefined ? useLibrary(call, engine) : own.answer(call, engine.provider))
  } catch (error) {
    answerFault(context, request, response, error)
  }
}

interface OwnEndpoint {
  /** With a slash at its end: what stands below alone. */
  readonly under: string
  readonly answer: (call: EndpointCall, provider: Provider) => Promise<void> | void
}

/** Endpoints of our own; all others are the library's. */
const OWN: readonly OwnEndpoint[] = [
  { under: '/oauth/assets/', answer: sendAsset },
  { under: '/oauth/interaction/', answer: interact },
  { under: '/oauth/providers/', answer: goByProvider },
  { under: ACCOUNT_PATH, answer: showAccount },
]

const HSTS_SECONDS = 31_536_000

/** Holds for every answer of the issuer, the library's too. */
function hardenAnswer({ settings }: IssuerContext, response: ServerResponse): void {
  response.setHeader('x-content-type-options', 'nosniff')
  // What may be kept says so itself.
  response.setHeader('cache-control', 'no-store')
  if (isSecure(settings().origin)) response.setHeader('strict-transport-security', `max-age=${HSTS_SECONDS}`)
}

/** Another page's script or frame asked for a page that goes by cookie. */
async function refuseEmbedded({ context, request, response, incoming, path }: EndpointCall): Promise<void> {
  const { 'sec-fetch-dest': destination, 'sec-fetch-mode': mode, 'sec-fetch-site': site } = request.headers
  await context.record(
    'page.refused',
    { page: shownPath(path), destination, mode, site, address: incoming.address },
    'warn',
  )
  const words = {
    title: 'This page stands alone',
    what: 'Something on another page asked for it. It is for people only, in a window or tab of its own.',
    advice: 'Open it from the app again, or type its address yourself.',
  }
  sendPage(response, 403, errorPage({ site: siteOf(context), ...words, code: undefined, requestId: undefined }))
}

/** One of the library's endpoints, or nothing. */
async function useLibrary(call: EndpointCall, { handler, endpoints }: CurrentEngine): Promise<void> {
  const { context, request, response } = call
  const path = metadataAlias(call.path, context.settings().identifier)
  const endpoint = endpointAt(path)
  if (endpoint === undefined) return void sendNotFound(response)
  request.url = `${path}${(request.url ?? '').slice(call.path.length)}`
  if (await prepare(endpoints[endpoint].before, { ...call, path })) await handler(request, response)
}

async function interact(call: EndpointCall, provider: Provider): Promise<void> {
  const { context, request, response, incoming, path } = call
  if (!only('GET', 'HEAD', 'POST')(call)) return
  if (request.method === 'POST') {
    const body = await readBodyOrAnswer(request, response)
    if (body === undefined) return
    incoming.form = new URLSearchParams(body.toString('utf8'))
  }
  await answerInteraction(context, provider, request, response, path)
}

async function showAccount({ context, request, response }: EndpointCall, provider: Provider): Promise<void> {
  const sessions = browserSessions(context, provider, SESSION_IDLE_SECONDS)
  await answerAccount({ context, sessions }, request, response)
}

async function goByProvider({ context, request, response }: EndpointCall, provider: Provider): Promise<void> {
  const sessions = browserSessions(context, provider, SESSION_IDLE_SECONDS)
  const landing = { ...interactionLanding(context, provider), ...accountLanding(context, sessions) }
  await context.federation.answer(landing, { request, response })
}

function sendAsset({ request, response, path }: EndpointCall): void {
  const reads = request.method === 'GET' || request.method === 'HEAD'
  const asset = reads ? answerAsset(path, request.headers['if-none-match']) : undefined
  if (asset === undefined) return void sendNotFound(response)
  response.writeHead(asset.status, { ...asset.headers })
  response.end(request.method === 'HEAD' ? undefined : asset.body)
}

/** A fault of ours: told to the log in full, to the client in a word. */
function answerFault(context: IssuerContext, request: IncomingMessage, response: ServerResponse, error: unknown): void {
  context.tell('issuer.fault', { path: shownPath(pathOf(request)), ...faultOf(error) }, 'error')
  if (response.writableEnded) return
  if (response.headersSent) response.destroy()
  else sendFault(context, request, response, error)
}
