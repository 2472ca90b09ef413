import { createHmac, randomBytes } from 'node:crypto'
import type {
  CallbackQuestion,
  Exchanged,
  OpenedSession,
  OpenQuestion,
  SessionAnswer,
  SessionQuestion,
  SignOutQuestion,
} from '../../core/back-channel.ts'
import { lookupKey } from '../../store/sealed-payload.ts'
import type { BrowserSessionRecord, SessionResource } from '../../store/session-store.ts'
import { BROWSER_CLIENT } from '../clients/reserved.ts'
import { seconds } from '../context.ts'
import { deriveKey } from '../keys/sealing.ts'
import { deviceLabel } from '../tokens/authorization-label.ts'
import { exchange } from './exchange.ts'
import { type Opening, readOpening, type SessionParts } from './redemption.ts'

/** Browsers that are signed in at hosts of the gateway: opened by a sign-in, asked by gateways, ended by sign-out. */
interface BrowserSessions {
  open(question: OpenQuestion): Promise<OpenedSession>
  /** What a session is good for at a resource now. */
  answer(question: SessionQuestion): Promise<SessionAnswer>
  isSignedIn(question: Pick<CallbackQuestion, 'idHash' | 'origin'>, resource: string): Promise<boolean>
  /** Ends the session, the issuer's that it was opened under, and all that were opened under that. */
  signOut(question: SignOutQuestion): Promise<boolean>
}

/** The replaced id stays good so long: pages that are loading have it. */
const GRACE_SECONDS = 30
const MOST_OF_PERSON = 50
const MOST_IN_ALL = 100_000
/** The idle end is moved at most so often, or after a tenth of the idle life. */
const MOST_SELDOM_SECONDS = 300

export function createBrowserSessions(parts: SessionParts): BrowserSessions {
  const find = async ({ idHash, origin }: { readonly idHash: string | undefined; readonly origin: string }) => {
    if (idHash === undefined) return undefined
    const found = await parts.context.store.browserSession(idHash, seconds(parts.context) - GRACE_SECONDS)
    return found?.origin === origin ? found : undefined
  }
  return {
    open: (question) => open(parts, question),
    answer: async (question) => answer(parts, question, parts.context.now(), await find(question)),
    isSignedIn: async (question, resource) => {
      const session = await find(question)
      const held = session?.resources.find((each) => each.resource === resource)
      if (session === undefined || held === undefined || endsAt(parts, session) <= seconds(parts.context)) return false
      return (await standing(parts, held)) !== undefined
    },
    signOut: async (question) => {
      const session = await find(question)
      if (session === undefined) return false
      const { sub, issuerSession, origin } = session
      const about = { request_id: question.requestId, address: question.address }
      await parts.context.acts.signOutBrowser(sub, issuerSession, sub, { origin, ...about })
      parts.context.tell('session.ended', { sub, by: sub, origin, ...about })
      return true
    },
  }
}

async function open(parts: SessionParts, question: OpenQuestion): Promise<OpenedSession> {
  const { context } = parts
  const opening = readOpening(parts, question.opening)
  if (opening === undefined) return { kind: 'failed', detail: 'the sign-in took too long' }
  const { gid, sub, resource, origin } = opening
  const now = seconds(context)
  // An act of revocation comes before all of it and has taken the grant away, or after it and finds the session.
  const opened = await context.store.unit(
    async () => {
      await context.store.hold({ gid, sub, clientId: BROWSER_CLIENT })
      const stands = (await context.store.model('Grant', opening.grantId)) !== undefined
      return stands ? put(parts, question, opening, now) : undefined
    },
    (result) => result !== undefined,
  )
  if (opened === undefined) return { kind: 'failed', detail: 'the authorization has ended' }
  for (const replaced of opened.ended) await context.acts.revokeAuthorization(replaced, 'browser', { sub })
  await context.record('session.opened', { sub, origin, resource, gid })
  const { id, generation, createdAt } = opened.session
  const maxAgeSeconds = createdAt + context.settings().sessions.max - now
  return { kind: 'opened', id: cookieId(parts, id, generation), maxAgeSeconds }
}

async function put(parts: SessionParts, question: OpenQuestion, opening: Opening, now: number) {
  const { context } = parts
  const { gid, sub, resource, scopes, origin, issuerSession } = opening
  const label = [deviceLabel(question.userAgent), new URL(origin).host].filter((part) => part !== '').join(' at ')
  const times = { createdAt: now, lastUsedAt: now, ended: false }
  await context.store.putAuthorization({
    gid,
    sub,
    clientId: BROWSER_CLIENT,
    resources: { [resource]: scopes },
    label,
    ...times,
  })
  const { idle, max } = context.settings().sessions
  return context.store.openBrowserSession({
    ...{ presented: question.idHash, browser: opening.browser, origin, sub, now, expiresAt: now + Math.min(idle, max) },
    issuerSession: lookupKey(issuerSession),
    resource: held(opening),
    scopes,
    ...{ graceSeconds: GRACE_SECONDS, mostOfPerson: MOST_OF_PERSON, mostInAll: MOST_IN_ALL },
    newId: randomBytes(16).toString('base64url'),
    hashOf: (id, generation) => lookupKey(cookieId(parts, id, generation)),
  })
}

/** 256 bits that only who has the master key can make from the record. */
function cookieId({ context }: SessionParts, id: string, generation: number): string {
  const key = deriveKey(context.masterKey, 'browser session ids')
  return createHmac('sha256', key).update(`${id} ${generation}`).digest('base64url')
}

function held({ resource, gid, authTime, amr, acr }: Opening): SessionResource {
  return { resource, gid, authTime, amr: amr ?? [], acr }
}

async function answer(
  parts: SessionParts,
  { resource, used }: SessionQuestion,
  stampMs: number,
  session: BrowserSessionRecord | undefined,
): Promise<SessionAnswer> {
  const now = Math.floor(stampMs / 1000)
  if (session === undefined) return { kind: 'gone', why: 'unknown' }
  if (endsAt(parts, session) <= now) return { kind: 'gone', why: 'expired' }
  const current = used ? await move(parts, session, now) : session
  const found = current.resources.find((each) => each.resource === resource)
  const exchanged = found === undefined ? ({ kind: 'none' } as const) : await token(parts, current, found, stampMs)
  if (exchanged.kind === 'gone') return exchanged
  const { idle, max } = parts.context.settings().sessions
  return {
    kind: 'session',
    idleExpiresAt: Math.min(current.movedAt + idle, current.createdAt + max),
    expiresAt: current.createdAt + max,
    movesAt: current.movedAt + stepOf(idle),
    signedInAt: current.signedInAt,
    exchange: exchanged,
  }
}

async function token(
  parts: SessionParts,
  session: BrowserSessionRecord,
  found: SessionResource,
  stampMs: number,
): Promise<Exchanged> {
  const authorization = await standing(parts, found)
  if (authorization === undefined) return { kind: 'gone', why: 'revoked' }
  const { resources } = parts.context.settings()
  const wanted: readonly string[] | undefined = resources.find(
    ({ identifier }) => identifier === found.resource,
  )?.sessionScopes
  const granted = authorization.resources[found.resource] ?? []
  const holding = {
    ...{ gid: found.gid, sub: session.sub, clientId: BROWSER_CLIENT, resource: found.resource },
    // A narrower file holds for sessions that are open, too.
    scopes: granted.filter((scope) => wanted === undefined || wanted.includes(scope)),
    ...{
      authTime: found.authTime,
      amr: found.amr,
      acr: found.acr,
      endsAt: session.createdAt + parts.context.settings().sessions.max,
    },
  }
  return exchange(parts, holding, stampMs)
}

async function standing({ context }: SessionParts, { gid }: SessionResource) {
  const [authorization] = await context.store.authorizations({ gid })
  return authorization === undefined || authorization.ended ? undefined : authorization
}

async function move(parts: SessionParts, session: BrowserSessionRecord, now: number): Promise<BrowserSessionRecord> {
  const { idle, max } = parts.context.settings().sessions
  if (now < session.movedAt + stepOf(idle)) return session
  await parts.context.store.moveBrowserSession(session.id, now, Math.min(now + idle, session.createdAt + max))
  return { ...session, movedAt: now }
}

function stepOf(idle: number): number {
  return Math.min(MOST_SELDOM_SECONDS, Math.floor(idle / 10))
}

function endsAt({ context }: SessionParts, { movedAt, createdAt }: BrowserSessionRecord): number {
  const { idle, max } = context.settings().sessions
  return Math.min(movedAt + idle, createdAt + max)
}
