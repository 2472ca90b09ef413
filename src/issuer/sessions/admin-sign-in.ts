import { randomBytes } from 'node:crypto'
import type { Exchanged } from '../../core/back-channel.ts'
import { gidOf } from '../../store/sealed-payload.ts'
import type { AdminSignIn, AdminVisitor } from '../admin-session.ts'
import { ADMIN_CLIENT } from '../clients/reserved.ts'
import { seconds } from '../context.ts'
import { ROUTES } from '../http/endpoints.ts'
import { guardValue } from '../http/form-guard.ts'
import { seal, unseal } from '../keys/sealing.ts'
import { deviceLabel } from '../tokens/authorization-label.ts'
import { createAdminKeepsakes } from './admin-keepsakes.ts'
import { exchange } from './exchange.ts'
import { consume, type SessionParts } from './redemption.ts'
import { challengeOf } from './sign-in-state.ts'

/** A session of the operator's page: what its cookie holds, sealed. Times are NumericDate, seconds. */
interface AdminSession {
  readonly gid: string
  readonly sub: string
  readonly scopes: readonly string[]
  readonly authTime: number | undefined
  readonly amr: readonly string[] | undefined
  readonly acr: string | undefined
  readonly createdAt: number
  readonly seenAt: number
}

const FLOW = 'admin flow'
const SESSION = 'admin session'
const FLOW_SECONDS = 600
const LONGEST_SECONDS = 12 * 3600
/** A token in hand is used as long as it has so much of its life left. */
const SPARE_SECONDS = 30
const MOST_TOKENS = 200
const SCOPES = ['admin:read', 'admin:write']

interface Flow {
  readonly state: string
  readonly verifier: string
  readonly nonce: string
  readonly target: string
  readonly begunAt: number
}

/** @param resource the identifier of the API's resource. */
export function createAdminSignIn(parts: SessionParts, resource: () => string): AdminSignIn {
  const { context } = parts
  const tokens = new Map<string, Extract<Exchanged, { kind: 'token' }>>()
  const tokenOf = async (session: AdminSession): Promise<string | undefined> => {
    const known = tokens.get(session.gid)
    if (known !== undefined && known.goodUntil - seconds(context) > SPARE_SECONDS) return known.token
    tokens.delete(session.gid)
    const made = await exchange(parts, holding(session, resource()), context.now())
    if (made.kind !== 'token') return undefined
    if (tokens.size >= MOST_TOKENS) tokens.delete(tokens.keys().next().value ?? '')
    tokens.set(session.gid, made)
    return made.token
  }
  return {
    keepsakes: createAdminKeepsakes(context),
    begin: (target, maxAge, acr) => {
      const [state, verifier, nonce] = [chance(), chance(), chance()]
      const flow: Flow = { state, verifier, nonce, target, begunAt: seconds(context) }
      const url = new URL(ROUTES.authorization, context.settings().origin)
      url.search = new URLSearchParams({
        ...{ response_type: 'code', client_id: ADMIN_CLIENT, state, nonce, resource: resource() },
        redirect_uri: adminCallbackUri(context.settings().origin),
        scope: ['openid', ...SCOPES].join(' '),
        ...{ code_challenge: challengeOf(verifier), code_challenge_method: 'S256' },
        ...(maxAge === undefined ? {} : { max_age: String(maxAge) }),
        ...(acr === undefined || acr === 'pwd' ? {} : { acr_values: acr }),
      }).toString()
      return { location: url.href, flow: seal(context.masterKey, FLOW, JSON.stringify(flow)) }
    },
    redeem: async (parameters, sealed, visitor) => {
      const flow = read<Flow>(parts, FLOW, sealed)
      const target = flow?.target ?? '/admin'
      const fault = flow === undefined ? 'this browser did not begin the sign-in' : faultOf(parts, parameters, flow)
      if (flow === undefined || fault !== undefined) return { kind: 'failed', detail: fault ?? '', target }
      if (parameters.has('error')) {
        const detail = parameters.get('error_description') ?? parameters.get('error') ?? ''
        await tellRefused(parts, detail, visitor)
        return { kind: 'denied', detail, target }
      }
      const spent = await spend(parts, flow, parameters.get('code') ?? '', resource())
      if (spent === undefined) return { kind: 'failed', detail: 'the code can’t be redeemed', target }
      const { session, grantId } = spent
      const { sub, gid } = session
      const made = await exchange(parts, holding(session, resource()), context.now())
      if (made.kind !== 'token') {
        await tellRefused(parts, made.kind, visitor, sub)
        return { kind: 'denied', detail: made.kind === 'refused' ? made.detail : 'the account can’t be used', target }
      }
      await keep(parts, session, resource(), visitor.userAgent)
      // An act of revocation takes the grant away. One that comes from now on finds the authorization.
      if ((await context.store.model('Grant', grantId)) === undefined) {
        await context.acts.revokeAuthorization(gid, sub, { sub })
        return { kind: 'failed', detail: 'the authorization has ended', target }
      }
      await context.record('admin.signed_in', { sub, by: sub, gid, ...from(visitor) })
      return { kind: 'signed_in', cookie: seal(context.masterKey, SESSION, JSON.stringify(session)), target }
    },
    open: async (cookie, idleSeconds) => {
      const session = read<AdminSession>(parts, SESSION, cookie)
      const now = seconds(context)
      if (session === undefined || now - session.seenAt > idleSeconds) return undefined
      if (now - session.createdAt > LONGEST_SECONDS) return undefined
      const [authorization] = await context.store.authorizations({ gid: session.gid })
      if (authorization === undefined || authorization.ended) return undefined
      const user = await context.store.userBySub(session.sub)
      const token = await tokenOf(session)
      if (user === undefined || token === undefined) return undefined
      const seen = seal(context.masterKey, SESSION, JSON.stringify({ ...session, seenAt: now }))
      return {
        token,
        user,
        guard: guardValue(context.masterKey, `admin ${session.gid}`),
        signedInAt: session.authTime,
        cookie: seen,
      }
    },
    end: async (cookie, visitor) => {
      const session = read<AdminSession>(parts, SESSION, cookie)
      if (session === undefined) return
      await context.acts.revokeAuthorization(session.gid, session.sub, { sub: session.sub })
      await context.record('admin.signed_out', { sub: session.sub, by: session.sub, ...from(visitor) })
    },
  }
}

function read<T>({ context }: SessionParts, purpose: string, sealed: string | undefined): T | undefined {
  const text = sealed === undefined ? undefined : unseal(context.masterKey, purpose, sealed)
  return text === undefined ? undefined : JSON.parse(text)
}

/** RFC 9207 and RFC 6749 §10.12. */
function faultOf({ context }: SessionParts, parameters: URLSearchParams, flow: Flow): string | undefined {
  for (const name of ['state', 'iss', 'code', 'error']) {
    if (parameters.getAll(name).length > 1) return `the answer names ${name} twice`
  }
  if (parameters.get('state') !== flow.state) return 'the answer belongs to another sign-in'
  if (parameters.get('iss') !== context.settings().identifier) return 'the answer is not of the issuer that was asked'
  return seconds(context) - flow.begunAt > FLOW_SECONDS ? 'the sign-in took too long' : undefined
}

/** Undefined for a code that can't be redeemed, by whatever fault; it is redeemed once. */
async function spend(
  parts: SessionParts,
  flow: Flow,
  value: string,
  resource: string,
): Promise<{ readonly session: AdminSession; readonly grantId: string } | undefined> {
  const provider = parts.provider()
  const code = await provider.AuthorizationCode.find(value)
  if (code === undefined || !code.isValid || code.clientId !== ADMIN_CLIENT || code.accountId === undefined)
    return undefined
  if (code.codeChallenge !== challengeOf(flow.verifier) || code.nonce !== flow.nonce) return undefined
  if (code.redirectUri !== adminCallbackUri(parts.context.settings().origin)) return undefined
  const { grantId = '' } = code
  const grant = await provider.Grant.find(grantId)
  if (grant === undefined || !(await consume(code))) return undefined
  const scopes = grant.getResourceScopeFiltered(resource, new Set((code.scope ?? '').split(' '))).split(' ')
  const now = seconds(parts.context)
  const { authTime, amr, acr, accountId: sub } = code
  const session = { gid: gidOf(grantId), sub, scopes, authTime, amr, acr, createdAt: now, seenAt: now }
  return { session, grantId }
}

async function keep(parts: SessionParts, session: AdminSession, resource: string, userAgent: string): Promise<void> {
  const { gid, sub, scopes, createdAt } = session
  const label = deviceLabel(userAgent)
  const times = { createdAt, lastUsedAt: createdAt, ended: false }
  await parts.context.store.putAuthorization({
    ...{ gid, sub, clientId: ADMIN_CLIENT, resources: { [resource]: scopes }, label },
    ...times,
  })
}

function holding(session: AdminSession, resource: string) {
  const { gid, sub, scopes, authTime, amr, acr, createdAt } = session
  const endsAt = createdAt + LONGEST_SECONDS
  return { gid, sub, clientId: ADMIN_CLIENT, resource, scopes, authTime, amr, acr, endsAt }
}

async function tellRefused(
  { context }: SessionParts,
  detail: string,
  visitor: AdminVisitor,
  sub?: string,
): Promise<void> {
  await context.record('admin.refused', { ...(sub && { sub }), detail, ...from(visitor) }, 'warn')
}

/** Where browsers come back to. */
function adminCallbackUri(issuerOrigin: string): string {
  return `${issuerOrigin}/admin/callback`
}

function from({ address, requestId }: AdminVisitor) {
  return { address, request_id: requestId }
}

function chance(): string {
  return randomBytes(32).toString('base64url')
}
