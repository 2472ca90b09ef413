import { createLocalJWKSet, type JWK, type JWTPayload, jwtVerify } from 'jose'
import { isGranted } from '../core/grants.ts'
import type { Scope } from '../core/resource.ts'
import { RevocationTable } from '../core/revocations.ts'
import { sealVerifiedToken, type VerifiedToken } from '../core/token.ts'
import { type IssuerContext, resourceById, seconds } from './issuer-context.ts'

/** An access token of this issuer that is good right now. */
export interface LiveToken {
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
  return {
    read: async (jwt) => {
      const payload = await verified(context, publicJwks(), jwt)
      const token = payload && asToken(payload)
      if (payload === undefined || token === undefined) return undefined
      table.add(await context.store.revocations(table.lastId, seconds(context)))
      table.sweep(seconds(context))
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
