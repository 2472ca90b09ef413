import { randomBytes } from 'node:crypto'
import { type Answer, wantsHtml } from '../../core/answer.ts'
import { neededSignIn } from '../../core/assurance.ts'
import { corsHeaders } from '../../core/cors.ts'
import { type Denial, denial } from '../../core/denial.ts'
import type { SignInNeed } from '../../core/levels.ts'
import { namesHtml, type RequestKind, requestKind } from '../../core/request-kind.ts'
import type { Route } from '../../core/route.ts'
import { type AnswerRow, answerRow, type SignInStep, signInStep } from '../../core/sign-in-answer.ts'
import { answerFor, usedScheme } from '../answers.ts'
import type { Call } from '../call.ts'
import { hashOf } from '../credentials/app-password-evidence.ts'
import type { BackChannel } from '../credentials/back-channel.ts'
import type { RouteMatch } from '../judge.ts'
import { lookUpFor, originOf, type Policy } from '../policy.ts'
import type { RequestHead } from '../request-head.ts'
import type { RequestRecord } from '../request-log.ts'
import { readBrowserCookie, setBrowserCookie } from './cookies.ts'

/** How long a browser is bound to the sign-ins that it began. */
const FLOW_SECONDS = 3_600

/** Nobody who could sign in is asked to now. */
export const SIGN_IN_UNAVAILABLE = denial(
  'sign_in_unavailable',
  'the issuer does not answer, so nobody can sign in now',
  {
    retryAfterSeconds: 5,
  },
)

/** Refusals of a protected path that depend on what kind of request asked; others are answered alike. */
export function dependsOnKind(
  { status, reason }: Denial,
  { credentials }: Route,
  { shown }: Pick<Shown, 'shown'>,
): boolean {
  if (credentials.length === 1 && credentials[0] === 'token') return false
  if (status === 403 && shown === 'session') return true
  return status === 401 || status === 429 || reason === 'malformed_credential' || reason === 'ticket_mismatch'
}

/** What is known of the credential behind a refusal. */
export type Shown = Pick<RequestRecord, 'id' | 'shown' | 'isYoung'> & Partial<Pick<RequestRecord, 'address'>>

/** The row that {@link refusalStep} answers by. */
export function refusalRow(
  denied: Denial,
  { route }: RouteMatch,
  { method, rawHeaders }: RequestHead,
  { shown }: Shown,
): AnswerRow {
  return answerRow(denied, { kind: requestKind(method, rawHeaders), shown, credentials: route.credentials })
}

/** The answer to a refused request of a protected route, or that the browser signs in first. */
export function refusalStep(
  policy: Policy,
  denied: Denial,
  match: RouteMatch,
  head: RequestHead,
  record: Shown,
): SignInStep {
  const { method, rawHeaders } = head
  const kind = requestKind(method, rawHeaders)
  const { route } = match
  const terms = {
    kind,
    credentials: route.credentials,
    realm: route.access.kind === 'protected' ? route.access.resource.name : route.id,
    signIn: signInUrl(policy, match.host, returnTo(policy, match, rawHeaders, kind)),
    shown: record.shown,
    isYoung: record.isYoung,
    namesHtml: namesHtml(fieldOf(rawHeaders, 'accept') ?? ''),
  }
  return signInStep(denied, terms, {
    requestId: record.id,
    wantsHtml: wantsHtml(method, rawHeaders),
    isHead: method === 'HEAD',
    corsHeaders: corsHeaders(route, rawHeaders),
    scheme: usedScheme(rawHeaders),
    lookUp: lookUpFor(policy, record.address),
  })
}

/** The answer to a refused request that doesn't go by its kind. */
export function plainAnswer({ active, incoming, record }: Call, denied: Denial): Answer {
  const lookUp = lookUpFor(active.policy, record.address)
  return answerFor(denied, { ...incoming.head, requestId: record.id, route: record.route, lookUp })
}

/** The same for a request on its way; undefined: it is refused like any other. */
export function stepFor({ active, incoming, record, match }: Call, denied: Denial): SignInStep | undefined {
  if (match === undefined || !dependsOnKind(denied, match.route, record)) return undefined
  return refusalStep(active.policy, denied, match, incoming.head, record)
}

/** The URL that begins a sign-in and comes back to a path of the host. */
export function signInUrl(policy: Policy, host: string, returnPath: string): string {
  return `${originOf(policy, host)}/.audgate/sign-in?return_to=${encodeURIComponent(returnPath)}`
}

interface SignInAsk {
  readonly host: string
  readonly resource: string
  /** Path and query. */
  readonly target: string
  readonly again: number
  readonly need?: SignInNeed | undefined
}

/** The sign-in that a page load of a protected route begins. */
export function signInAsk({ host, target, route }: RouteMatch, denied: Denial): SignInAsk {
  const resource = route.access.kind === 'protected' ? route.access.resource.identifier : ''
  return { host, resource, target: target.path + target.query, again: 0, need: neededSignIn(denied) }
}

/** Sends a browser to the issuer: nothing is kept of it but a cookie that binds it to what it began. Rejects when the issuer is away. */
export async function beginSignIn(
  policy: Policy,
  backChannel: BackChannel,
  { host, resource, target, again, need }: SignInAsk,
  rawHeaders: readonly string[],
): Promise<Answer> {
  const known = readBrowserCookie(policy, rawHeaders, 'flow')
  const flow = known ?? randomBytes(16).toString('base64url')
  const origin = originOf(policy, host)
  const question = { origin, resource, target, flow: hashOf(flow), again, ...(need && { need }) }
  const { location } = await backChannel.ask('begin_sign_in', question)
  const cookies = known === undefined ? ['Set-Cookie', setBrowserCookie(policy, 'flow', flow, FLOW_SECONDS)] : []
  return redirectTo(location, cookies)
}

/** @param further Raw pairs. */
export function redirectTo(location: string, further: readonly string[] = []): Answer {
  const headers = [
    'Location',
    location,
    'Cache-Control',
    'no-store',
    'Referrer-Policy',
    'no-referrer',
    'Content-Length',
    '0',
  ]
  return { status: 302, headers: [...headers, ...further], body: '' }
}

/** The page that the person is on, where it is not the request itself that becomes one. */
function returnTo(
  policy: Policy,
  { host, target, route }: RouteMatch,
  rawHeaders: readonly string[],
  kind: RequestKind,
) {
  if (kind === 'page' || kind === 'document') return target.path + target.query
  const page = URL.parse(fieldOf(rawHeaders, 'referer') ?? '')
  return page?.origin === originOf(policy, host) ? page.pathname + page.search : route.path
}

function fieldOf(rawHeaders: readonly string[], wanted: string): string | undefined {
  let value: string | undefined
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.toLowerCase() === wanted)
      value = value === undefined ? rawHeaders[i + 1] : `${value},${rawHeaders[i + 1]}`
  }
  return value
}
