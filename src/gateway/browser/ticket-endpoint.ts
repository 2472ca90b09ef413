import { IncomingMessage } from 'node:http'
import { parseLifetime } from '../../config/schema/leaf.ts'
import { decide, type Permit } from '../../core/decide.ts'
import { type Denial, denial } from '../../core/denial.ts'
import { reservation } from '../../core/paths/router.ts'
import { parseTarget, type Target, urlPath } from '../../core/paths/target.ts'
import { TICKET_PARAMETER, TICKET_PATH } from '../../core/paths/ticket-url.ts'
import type { VerifiedToken } from '../../core/token.ts'
import type { AnyRequest } from '../call.ts'
import { placeHash } from '../credentials/ticket-evidence.ts'
import { isSignOut, type RouteMatch } from '../judge.ts'
import { originOf, type Policy } from '../policy.ts'
import { type BrowserAnswer, type BrowserCall, ownJson } from './browser-call.ts'
import { dependsOnKind, refusalStep } from './sign-ins.ts'

const MAX_BODY_BYTES = 16_384
/** A token that is not kept anywhere gives away little. */
const BEARER_SECONDS = 3_600

/** What is asked for: one path, or a folder, and for how long. */
interface Wanted {
  readonly target: Target
  readonly folder: boolean
  /** Seconds; undefined: the usual. */
  readonly life: number | undefined
}

/**
 * `tickets`: makes a URL that opens one path, or a folder, for reading. Whoever asks must be able to read it, by a session, an app password or a
 * plain token of the embedded issuer.
 */
export async function createTicket(call: BrowserCall): Promise<BrowserAnswer> {
  const { policy, head, record, request } = call.reserved
  const wanted = await readWanted(request)
  if ('status' in wanted) return { denial: wanted }
  const match = placeOf(call, wanted.target)
  if (match === undefined) return no('no route takes tickets at this path')
  const now = call.now() / 1_000
  const evidence = await call.credentials.gather(policy, match, head, record, now)
  const decision = decide(match.route, 'GET', wanted.target, evidence, now)
  if (decision.kind === 'deny') return refused(policy, record.throttled ?? decision.denial, match, call)
  const { permit } = decision
  const most =
    record.credential === 'bearer' ? Math.min(BEARER_SECONDS, policy.tickets.maxSeconds) : policy.tickets.maxSeconds
  const life = wanted.life ?? Math.min(policy.tickets.defaultSeconds, most)
  if (life > most) return no(`life may be at most ${most} seconds here`)
  if (permit.token === undefined) return no('this path needs no ticket')
  const fault = faultOf(permit.token)
  if (fault !== undefined) return no(fault)
  return make(call, wanted, permit, permit.token, Math.floor(now) + life)
}

/** The route that takes tickets there; undefined: none, or the gateway itself answers at the path. */
function placeOf({ reserved: { policy, routing } }: BrowserCall, target: Target): RouteMatch | undefined {
  const { router, publicHost } = policy
  const { host, client } = routing
  if (reservation(router, publicHost, host, target) !== 'free') return undefined
  const selection = router.select(host, target)
  if (selection.kind !== 'route' || !selection.route.credentials.includes('ticket')) return undefined
  const match: RouteMatch = { kind: 'route', route: selection.route, host, target, client, ticket: undefined }
  return isSignOut(match) ? undefined : match
}

/** As at the path itself: a script reads where to sign in. */
function refused(policy: Policy, denied: Denial, match: RouteMatch, { reserved: { head, record } }: BrowserCall) {
  const step = dependsOnKind(denied, match.route, record) ? refusalStep(policy, denied, match, head, record) : undefined
  return step?.kind === 'answer' ? { denial: denied, answer: step.answer } : { denial: denied }
}

/** Whoever holds the ticket needs no key and no other issuer: what is bound to one gives none away. */
function faultOf({ embedded, gid, jkt }: VerifiedToken): string | undefined {
  if (!embedded) return 'a token of another issuer gives no tickets'
  if (jkt !== undefined) return 'a token that is bound to a key gives no tickets'
  return gid === undefined ? 'a token that no person stands behind gives no tickets' : undefined
}

async function make(
  { reserved, backChannel }: BrowserCall,
  { target, folder }: Wanted,
  { route }: Permit,
  token: VerifiedToken,
  expiresAt: number,
): Promise<BrowserAnswer> {
  const { policy, routing } = reserved
  const depth = folder ? target.path.split('/').length - 2 : undefined
  const hash = placeHash(routing.host, target.path, depth)
  if (hash === undefined || token.gid === undefined || route.access.kind === 'public')
    return no('this path takes no ticket')
  const rules = new Set<string>(route.access.rules.flatMap(({ scopes }) => scopes))
  const scope = [...token.scope].filter((each) => rules.has(each))
  const place = { resource: route.access.resource.identifier, hash, depth }
  const made = await backChannel.ask('make_ticket', { gid: token.gid, scope, place, expiresAt })
  if (made.kind === 'too_long') return no('the ticket would be longer than 512 characters: use shorter scopes')
  const origin = originOf(policy, routing.host)
  const query = `${origin}${target.path}?${TICKET_PARAMETER}=${made.ticket}`
  const path = `${origin}${TICKET_PATH}${made.ticket}${target.path}`
  const document = { url: folder ? path : query, query_url: query, path_url: path, expires_at: expiresAt }
  return { answer: ownJson(document, false) }
}

async function readWanted(request: AnyRequest): Promise<Wanted | Denial> {
  const body = await readJson(request)
  if (body === undefined)
    return denial('malformed_request', 'send a JSON object with path or folder, of at most 16 KiB')
  const { path, folder, life } = body
  const text = folder ?? path
  if (typeof text !== 'string' || (path !== undefined && folder !== undefined)) {
    return denial('malformed_request', 'name one of path and folder, a path of this host')
  }
  const read = life === undefined ? undefined : readLife(life)
  if (life !== undefined && read === undefined)
    return denial('malformed_request', 'life must be a duration such as 20h or 30m')
  const isFolder = folder !== undefined
  const written = urlPath(text)
  const parsed = parseTarget(isFolder && !written.endsWith('/') ? `${written}/` : written)
  if (!parsed.ok) return denial(parsed.reason, parsed.detail)
  if (parsed.target.query !== '') return denial('malformed_request', 'a ticket is for a path, whatever its query')
  return { target: parsed.target, folder: isFolder, life: read }
}

function readLife(life: unknown): number | undefined {
  const read = typeof life === 'string' ? parseLifetime(life, Number.MAX_SAFE_INTEGER) : undefined
  return read?.ok === true ? read.value : undefined
}

async function readJson(request: AnyRequest): Promise<Readonly<Record<string, unknown>> | undefined> {
  // Without a body.
  if (!(request instanceof IncomingMessage)) return undefined
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    bytes += chunk.length
    if (bytes > MAX_BODY_BYTES) return undefined
    chunks.push(chunk)
  }
  try {
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined
  } catch {
    return undefined
  }
}

function no(text: string): BrowserAnswer {
  return { denial: denial('malformed_request', text) }
}
