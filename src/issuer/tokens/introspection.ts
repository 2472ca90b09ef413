import type { IncomingMessage } from 'node:http'
import { createLocalJWKSet, type JWK, type JWTPayload, jwtVerify } from 'jose'
import type { AccessToken, ClientCredentials, KoaContextWithOIDC, RefreshToken } from 'oidc-provider'
import { isGranted, type Scope } from '../../core/resource.ts'
import { RevocationTable } from '../../core/revocation.ts'
import { sealVerifiedToken, type VerifiedToken } from '../../core/token.ts'
import { createKeyedLock } from '../../store/keyed-lock.ts'
import { createRevocationReader } from '../../store/revocation-reader.ts'
import { type IssuerContext, resourceById, seconds } from '../context.ts'
import { issuerRequestOf } from '../http/request.ts'
import type { Middleware } from '../http/steps.ts'

/** An access token of this issuer that is good right now. */
interface LiveToken {
  readonly payload: JWTPayload
  readonly clientId: string
  readonly resource: string
  readonly jti: string
  readonly expiresAt: number
  /** What it is still good for: scopes that the person's groups no longer give are gone. */
  readonly scope: readonly string[]
}

/** Reads access tokens of this issuer as the gateway would. */
export interface OwnTokens {
  /** The token behind `jwt`; undefined for one that is forged, foreign, of another kind, expired or revoked. */
  read(jwt: string): Promise<LiveToken | undefined>
}

/** @param publicJwks the keys in force at each call. */
export function createOwnTokens(context: IssuerContext, publicJwks: () => readonly JWK[]): OwnTokens {
  const table = new RevocationTable()
  const reader = createRevocationReader(context.store)
  const lock = createKeyedLock()
  const catchUp = async (): Promise<void> => {
    for (let more = true; more; ) {
      const page = await reader.read(seconds(context))
      if (page.entries.length > 0) table.add(page.entries)
      more = page.more
    }
    table.sweep(seconds(context))
  }
  return {
    read: async (jwt) => {
      const payload = await verified(context, publicJwks(), jwt)
      const token = payload && asToken(payload)
      if (payload === undefined || token === undefined) return undefined
      await lock.take('revocations', catchUp)
      return table.isRevoked(token) ? undefined : live(context, payload, token)
    },
  }
}

async function verified(context: IssuerContext, keys: readonly JWK[], jwt: string): Promise<JWTPayload | undefined> {
  try {
    const { payload } = await jwtVerify(jwt, createLocalJWKSet({ keys: [...keys] }), {
      issuer: context.settings().identifier,
      algorithms: ['ES256', 'RS256', 'EdDSA'],
      typ: 'at+jwt',
      currentDate: new Date(context.now()),
      requiredClaims: ['exp', 'iat', 'sub', 'aud', 'jti', 'client_id'],
    })
    return payload
  } catch {
    return undefined
  }
}

function asToken(payload: JWTPayload): VerifiedToken | undefined {
  const { iss, sub, aud, exp, iat, jti, client_id, gid, username, groups, scope } = payload
  if (typeof aud !== 'string' || typeof client_id !== 'string' || iss === undefined || sub === undefined)
    return undefined
  return sealVerifiedToken({
    issuer: iss,
    embedded: true,
    subject: sub,
    clientId: client_id,
    audience: [aud],
    scope: new Set(String(scope ?? '').split(' ')),
    expiresAt: exp ?? 0,
    issuedAt: iat ?? 0,
    jti,
    gid: typeof gid === 'string' ? gid : undefined,
    username: typeof username === 'string' ? username : undefined,
    groups: Array.isArray(groups) ? groups.map(String) : [],
    jkt: undefined,
    claims: payload,
  })
}

function live(context: IssuerContext, payload: JWTPayload, token: VerifiedToken): LiveToken | undefined {
  const [identifier = ''] = token.audience
  const resource = resourceById(context.settings().resources, identifier)
  if (resource === undefined) return undefined
  const person = token.username !== undefined
  const scope = [...token.scope].filter((each) => !person || isGranted(resource, token.groups, each as Scope))
  if (scope.length === 0) return undefined
  const { clientId, expiresAt } = token
  return { payload, clientId, resource: identifier, jti: token.jti ?? '', expiresAt, scope }
}

/** Whether a client may learn about a token: its own, or one for a resource that the operator allows a `service` client. */
export async function mayInspect(
  context: IssuerContext,
  clientId: string,
  token: Pick<AccessToken | ClientCredentials | RefreshToken, 'clientId'> & { readonly aud?: unknown },
): Promise<boolean> {
  if (token.clientId === clientId) return true
  const client = await context.store.client(clientId)
  return client?.type === 'service' && client.allow.some((entry) => entry.resource === token.aud)
}

/** Introspection (RFC 7662) of JWT access tokens, which the library declines once it has authenticated the client. */
export function introspectOwn(context: IssuerContext, tokens: OwnTokens): Middleware {
  return async (ctx, next) => {
    await next()
    if (ctx.status === 400 && isNameless(ctx.req)) {
      ctx.status = 401
      ctx.body = { error: 'invalid_client', error_description: 'nothing says who asks: authenticate as a client' }
      return
    }
    const declined = declinedToken(ctx as unknown as KoaContextWithOIDC)
    if (declined === undefined) return
    const { clientId, jwt } = declined
    const token = await tokens.read(jwt)
    const shown = token !== undefined && (await mayInspect(context, clientId, { ...token, aud: token.resource }))
    ctx.status = 200
    ctx.body = shown ? facts(token) : { active: false }
  }
}

/** Revocation (RFC 7009) of JWT access tokens, which the library declines once it has authenticated the client. */
export function revokeOwn(context: IssuerContext, tokens: OwnTokens): Middleware {
  return async (ctx, next) => {
    await next()
    const declined = declinedToken(ctx as unknown as KoaContextWithOIDC)
    if (declined === undefined) return
    const token = await tokens.read(declined.jwt)
    ctx.status = 200
    ctx.body = ''
    if (token?.clientId !== declined.clientId) return
    await context.acts.revokeJti(token.jti, token.expiresAt, `client:${token.clientId}`)
    context.tell('token.revoked', { jti: token.jti, client: token.clientId })
  }
}

/** The token that the library has declined to look at, and who sent it. */
function declinedToken(ctx: KoaContextWithOIDC): { readonly clientId: string; readonly jwt: string } | undefined {
  const body = ctx.body as { error?: unknown } | undefined
  if (body?.error !== 'unsupported_token_type') return undefined
  const { client, params } = ctx.oidc
  if (client === undefined) return undefined
  return { clientId: client.clientId, jwt: String(params?.token ?? '') }
}

/** Whether a form comes without any word on its client; the library calls it a bad request, RFC 7662 §2.3 unauthorized. */
function isNameless(request: IncomingMessage): boolean {
  const { form } = issuerRequestOf(request)
  return form.size > 0 && !form.has('client_id') && request.headers.authorization === undefined
}

function facts({ payload, scope }: LiveToken): Record<string, unknown> {
  const bound = payload.cnf !== undefined
  return { ...payload, active: true, scope: scope.join(' '), token_type: bound ? 'DPoP' : 'Bearer' }
}
