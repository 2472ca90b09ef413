import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Admin, type AdminAnswer, type AdminCall, createAdmin } from '../../admin/admin.ts'
import type { Caller } from '../../admin/caller.ts'
import { createDecisionBook, type DecisionBook } from '../../admin/decisions/book.ts'
import type { Decision } from '../../admin/decisions/decision.ts'
import type { AdminDependencies, AdminView, Traffic } from '../../admin/dependencies.ts'
import { type Config, issuedResources } from '../../config/config.ts'
import { decide } from '../../core/decide.ts'
import type { Denial } from '../../core/denial.ts'
import { parseTarget } from '../../core/paths/target.ts'
import type { ReservedRequest } from '../../gateway/call.ts'
import type { IssuerOperations } from '../../issuer/operations.ts'
import { createOffice } from '../../office/office.ts'
import type { Store } from '../../store/store.ts'
import type { Closing } from '../closing.ts'
import { linkSender } from '../mail/link-mail.ts'
import type { Runtime } from '../runtime.ts'
import { checkInThread } from './check-thread.ts'
import { adminJudge } from './judge.ts'
import { createKeeper } from './keeper.ts'

const API = '/admin/api/v1'
const { version: VERSION }: { readonly version: string } = JSON.parse(
  readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
)

/** A call that a page makes for the person whose token it has. */
interface PageCall extends AdminCall {
  readonly token: string
  readonly address: string
  readonly requestId: string
}

/** The operator's API in the process that has the store. */
export interface AdminMount {
  handle(request: IncomingMessage, response: ServerResponse, caller: Caller): void
  /** Answers a request for one of the operator's pages. */
  pages(request: IncomingMessage, response: ServerResponse, address: string, requestId: string): void
  /** Judges the token as the gateway does, then answers; a refusal is an answer, too. */
  ask(call: PageCall): Promise<AdminAnswer>
  /** Takes in what requests came to. */
  decisions(batch: readonly Decision[]): void
  onWatched(listener: (watched: boolean) => void): void
  /** Whether somebody looks at decisions now. */
  readonly watched: boolean
}

interface AdminMountOptions {
  readonly traffic: () => Promise<Traffic>
  readonly workers: number
}

/** Answers a request that the gateway has let in. */
export function answerAdmin(admin: AdminMount, { request, response, record, routing, token }: ReservedRequest): void {
  if (token === undefined) throw new TypeError('the operator’s API was reached without a token')
  admin.handle(request, response, { token, address: routing.client.address, requestId: record.id })
}

/** Answers a request for one of the operator's pages. */
export function answerPages(admin: AdminMount, { request, response, record, routing }: ReservedRequest): void {
  admin.pages(request, response, routing.client.address, record.id)
}

/** Undefined where this process holds no issuer. */
export async function mountAdmin(
  runtime: Runtime,
  options: AdminMountOptions,
  closing: Closing,
): Promise<AdminMount | undefined> {
  const { backing, now, log } = runtime
  const { store, issuer } = backing
  if (store === undefined || issuer.operations === undefined || issuer.adminSignIn === undefined) return undefined
  const book = createDecisionBook(now)
  const keeper = createKeeper({
    store,
    now,
    seconds: () => runtime.state.active.config.admin?.keepRefusalsSeconds ?? 0,
    onFault: (error) => log.warn('store.fault', { fault: String(error) }),
  })
  closing.add(() => keeper.close())
  const admin = await createAdmin(dependenciesOf(runtime, store, issuer.operations, book, options))
  closing.add(() => admin.close())
  const office = createOffice({
    api: (call, caller) => ask(runtime, admin, { ...call, ...caller }),
    signIn: issuer.adminSignIn(() => runtime.state.active.config.admin?.resource.identifier ?? ''),
    passOn: ({ request, response, visitor: { address, requestId } }, token, path) => {
      return passOn(runtime, admin, { request, response }, { token, method: 'GET', path, address, requestId })
    },
    origin: () => runtime.state.active.config.publicOrigin,
    idleSeconds: () => runtime.state.active.config.admin?.sessionSeconds ?? 0,
    now,
    onFault: (error) =>
      log.error('admin.fault', { fault: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  })
  return {
    handle: (request, response, caller) => {
      if (caller.token.gid !== undefined) backing.noteUse(caller.token.gid, now() / 1_000)
      admin.handle(request, response, caller)
    },
    pages: (request, response, address, requestId) => {
      const userAgent = String(request.headers['user-agent'] ?? '')
      void office({ request, response, visitor: { address, requestId, userAgent } })
    },
    ask: (call) => ask(runtime, admin, call),
    decisions: (batch) => {
      book.add(batch)
      keeper.add(batch)
    },
    onWatched: (listener) => book.onWatched(listener),
    get watched() {
      return book.watched
    },
  }
}

function dependenciesOf(
  runtime: Runtime,
  store: Store,
  issuer: IssuerOperations,
  decisions: DecisionBook,
  { traffic, workers }: AdminMountOptions,
): AdminDependencies {
  const { backing, now, log, state, history } = runtime
  const startedAt = runtime.startedAt ?? now()
  return {
    now,
    store,
    issuer,
    decisions,
    traffic,
    origin: state.active.config.publicOrigin,
    view: () => viewOf(state.active.config),
    judge: adminJudge(runtime),
    mail: linkSender({ store, settings: () => state.active.config.mail, log }),
    system: () => ({
      version: VERSION,
      startedAt,
      workers,
      config: { file: state.active.config.file, ...history.facts() },
      store: { kind: state.active.config.store.kind, fault: backing.unready() },
      feed: { followers: backing.feed?.followers ?? 0 },
    }),
    checkConfig: (text) => checkInThread(text, state.active.config),
    isClosing: () => state.closing,
    isRevoked: (token) => backing.revocations.isRevoked(token),
    upstreams: (id) => upstreamsOf(runtime, id),
    warn: (event, detail) => log.warn(event, detail),
  }
}

function viewOf(config: Config): AdminView {
  const { admin } = config
  if (admin === undefined) throw new TypeError('the operator’s API was asked where the file turns it off')
  return {
    publicUrl: config.publicUrl,
    groups: admin.groups,
    readers: admin.readers,
    require: admin.require,
    freshSeconds: admin.freshSeconds,
    resources: [...config.resources, admin.resource],
    issued: issuedResources(config),
    routes: config.routes,
    lineOf: (id) => config.routeLines[config.routes.findIndex((route) => route.id === id)],
    resource: admin.resource,
  }
}

function upstreamsOf({ state }: Runtime, id: string): ReturnType<AdminDependencies['upstreams']> {
  const { config, upstreams } = state.active
  const route = config.routes.find((each) => each.id === id)
  if (route === undefined) return []
  const group = upstreams.get(route)
  // Where worker processes carry the requests, this one knows nothing of upstreams.
  const isHere = config.workers === 1 && group !== undefined
  return route.upstreams.map(({ protocol, authority, basePath, socketPath }, index) => ({
    url: socketPath === undefined ? `${protocol}//${authority}${basePath}` : `unix:${socketPath}`,
    state: (isHere ? group.members[index]?.heard : undefined) ?? 'unknown',
  }))
}

async function ask(runtime: Runtime, admin: Admin, call: PageCall): Promise<AdminAnswer> {
  const judged = await judgeCall(runtime, call)
  return 'status' in judged ? judged : admin.call(call, judged)
}

/** Lets the API answer a page's request; what it may not be told is answered as the API would. */
async function passOn(
  runtime: Runtime,
  admin: Admin,
  { request, response }: { readonly request: IncomingMessage; readonly response: ServerResponse },
  call: PageCall,
): Promise<void> {
  const judged = await judgeCall(runtime, call)
  if ('status' in judged) {
    response.writeHead(judged.status, { 'content-type': 'application/problem+json', 'cache-control': 'no-store' })
    response.end(judged.text)
    return
  }
  request.url = `${API}${call.path}`
  admin.handle(request, response, judged)
}

/** The caller behind a token, or the refusal that it would meet at the gateway. */
async function judgeCall({ state, verifier, now }: Runtime, call: PageCall): Promise<Caller | AdminAnswer> {
  const { token, method, path, address, requestId } = call
  const route = state.active.config.admin?.route
  const parsed = parseTarget(`${API}${path}`)
  if (route === undefined || !parsed.ok) return answered(404, { reason: 'not_found' })
  const seconds = now() / 1_000
  const evidence = await verifier.verify({ scheme: 'bearer', token }, seconds)
  const decision = decide(route, method, parsed.target, evidence, seconds)
  if (decision.kind === 'deny') return refusal(decision.denial, requestId)
  const { token: verified } = decision.permit
  if (verified === undefined) throw new TypeError('the operator’s API let somebody in without a token')
  return { token: verified, address, requestId }
}

function refusal({ status, reason, description }: Denial, requestId: string): AdminAnswer {
  return answered(status, { status, reason, detail: description, request_id: requestId })
}

function answered(status: number, body: object): AdminAnswer {
  return { status, headers: {}, body, text: JSON.stringify(body) }
}
