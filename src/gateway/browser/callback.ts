import { denialFacts } from '../../core/answer.ts'
import type { PageWords } from '../../core/answer-page.ts'
import type { CallbackAnswer } from '../../core/back-channel.ts'
import { decide } from '../../core/decide.ts'
import { type Denial, denial } from '../../core/denial.ts'
import { hashOf } from '../credentials/app-password-evidence.ts'
import { lookUpFor, originOf } from '../policy.ts'
import { type BrowserAnswer, type BrowserCall, ownPage } from './browser-call.ts'
import { readBrowserCookie, setBrowserCookie } from './cookies.ts'
import { returnPlace } from './return-place.ts'
import { beginSignIn, redirectTo } from './sign-ins.ts'

/** Tabs that begin at once, before there is a cookie, bring one each: a late one can take the place of that which another tab went by. */
const MOST_TRIES = 5
const PARAMETERS = ['code', 'state', 'iss', 'error', 'error_description'] as const

/**
 * `callback`: the end of a sign-in, and the only place that sets the session's cookie. The token is judged for the route before there is a
 * session.
 */
export async function takeCallback(call: BrowserCall): Promise<BrowserAnswer> {
  const { reserved, backChannel } = call
  const { policy, head, routing } = reserved
  const parameters = readParameters(routing.target.query)
  if (parameters === undefined) return failed(call, 'the answer of the issuer names a parameter twice')
  const flow = readBrowserCookie(policy, head.rawHeaders, 'flow')
  const id = readBrowserCookie(policy, head.rawHeaders, 'web')
  const idHash = id === undefined ? undefined : hashOf(id)
  const origin = originOf(policy, routing.host)
  const question = { origin, parameters, flow: flow === undefined ? undefined : hashOf(flow), idHash }
  const answer = await backChannel.ask('redeem', question)
  switch (answer.kind) {
    case 'token':
      return signedIn(call, answer, idHash)
    case 'missed':
      return missed(call, answer, flow !== undefined)
    case 'denied':
      return refused(call, answer.detail)
    case 'failed':
      return failed(call, answer.detail)
  }
}

/** Undefined where one stands there twice: two readers could take another each. */
function readParameters(query: string): Readonly<Record<string, string>> | undefined {
  const sent = new URLSearchParams(query)
  const parameters: Record<string, string> = {}
  for (const name of PARAMETERS) {
    const [value, ...further] = sent.getAll(name)
    if (further.length > 0) return undefined
    if (value !== undefined) parameters[name] = value
  }
  return parameters
}

async function signedIn(
  call: BrowserCall,
  { token, resource, target, opening }: Extract<CallbackAnswer, { kind: 'token' }>,
  idHash: string | undefined,
): Promise<BrowserAnswer> {
  const { policy, head, routing } = call.reserved
  const place = returnPlace(policy, routing.host, target)
  if (place?.resource.identifier !== resource) return failed(call, 'no route of this host is for the resource any more')
  const now = call.now() / 1_000
  const evidence = await call.credentials.verify(token, now)
  const decision = decide(place.route, 'GET', place.target, evidence, now)
  if (decision.kind === 'deny' && (decision.denial.status === 401 || decision.denial.status === 503)) {
    return refused(call, decision.denial.description, decision.denial)
  }
  const userAgent = fieldOf(head.rawHeaders, 'user-agent')
  const opened = await call.backChannel.ask('open_session', { opening, idHash, userAgent })
  if (opened.kind === 'failed') return failed(call, opened.detail)
  const cookie = setBrowserCookie(policy, 'web', opened.id, opened.maxAgeSeconds)
  const location = originOf(policy, routing.host) + place.target.path + place.target.query
  return { answer: redirectTo(location, ['Set-Cookie', cookie]) }
}

/** Too late, or begun by another tab: what it was for is still genuine. */
async function missed(
  call: BrowserCall,
  { target, resource, again, isSignedIn }: Extract<CallbackAnswer, { kind: 'missed' }>,
  keepsCookies: boolean,
): Promise<BrowserAnswer> {
  const { policy, head, routing } = call.reserved
  const place = returnPlace(policy, routing.host, target)
  if (place === undefined) return failed(call, 'no route of this host accepts sessions any more')
  const path = place.target.path + place.target.query
  if (isSignedIn) return { answer: redirectTo(originOf(policy, routing.host) + path) }
  if (again >= (keepsCookies ? MOST_TRIES : 1)) {
    return failed(call, 'this browser does not keep the cookie that a sign-in needs, or took too long again')
  }
  const ask = { host: routing.host, resource, target: path, again: again + 1 }
  return { answer: await beginSignIn(policy, call.backChannel, ask, head.rawHeaders) }
}

function failed(call: BrowserCall, detail: string): BrowserAnswer {
  return asPage(call, denial('sign_in_failed', detail), {
    title: 'The sign-in did not work',
    paragraphs: ['You are not signed in here. Begin again; leave cookies allowed for this site.'],
    link: { href: '/', label: 'Begin again' },
  })
}

/** Nobody is sent round: a second try would end the same. */
function refused(call: BrowserCall, detail: string, because: Denial = denial('sign_in_failed', detail)): BrowserAnswer {
  const { challenge: _, ...rest } = because
  return asPage(
    call,
    { ...rest, status: 403 },
    {
      title: 'You can’t open this',
      paragraphs: ['You are signed in, but this is not yours to see. Ask whoever runs this service.'],
    },
  )
}

function asPage(
  { reserved: { record, policy } }: BrowserCall,
  denied: Denial,
  words: Pick<PageWords, 'title' | 'paragraphs' | 'link'>,
): BrowserAnswer {
  const lookUp = lookUpFor(policy, record.address)
  return {
    denial: denied,
    answer: ownPage({ ...words, status: denied.status, facts: denialFacts(denied, record.id, lookUp) }, false),
  }
}

function fieldOf(rawHeaders: readonly string[], wanted: string): string {
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.toLowerCase() === wanted) return rawHeaders[i + 1] ?? ''
  }
  return ''
}
