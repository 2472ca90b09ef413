import { randomBytes } from 'node:crypto'
import { importJWK, type JWK, SignJWT } from 'jose'
import type { Exchanged } from '../../core/back-channel.ts'
import type { Resource } from '../../core/resource.ts'
import { makeJti } from '../../core/revocation.ts'
import { type IssuerContext, resourceById } from '../context.ts'
import { judgeToken } from '../tokens/policy.ts'
import { withGroups } from '../tokens/provider-standing.ts'
import { type Authentication, personTokenClaims } from '../tokens/redemption.ts'

/** What an authorization gives at one resource. */
export interface Holding extends Omit<Authentication, 'idp'> {
  readonly gid: string
  readonly sub: string
  readonly clientId: string
  /** Its identifier. */
  readonly resource: string
  /** What was granted; cut by what the person's groups give now. */
  readonly scopes: readonly string[]
  /** NumericDate, seconds: when it ends by itself. */
  readonly endsAt: number
}

export interface ExchangeParts {
  readonly context: IssuerContext
  /** The one that signs first. */
  readonly privateJwks: () => readonly JWK[]
}

/**
 * Makes the access token that an authorization is good for right now, as the token endpoint would: groups and disabled accounts are looked at. The
 * caller has found that the authorization stands. Rejects while the provider that the person signed in at can't be asked, and while nothing
 * may be issued.
 * @param stampMs When nothing had been read of the store yet: an act of revocation that was missed ends the token.
 */
export async function exchange(parts: ExchangeParts, holding: Holding, stampMs: number): Promise<Exchanged> {
  const { settings, store, federation } = parts.context
  const pause = parts.context.cannotIssue()
  if (pause !== undefined) throw new Error(pause)
  const standing = await federation.standingOfAuthorization(holding.gid, 'refresh')
  if (standing.kind === 'unavailable') throw new Error('the provider of this sign-in does not answer')
  const account = await store.userBySub(holding.sub)
  if (standing.kind === 'ended' || account === undefined || account.disabled) return { kind: 'gone', why: 'revoked' }
  const user = withGroups(account, standing)
  const { resources } = settings()
  const resource = resourceById(resources, holding.resource)
  if (resource === undefined) return { kind: 'refused', detail: 'the resource is not served any more' }
  const judgment = judgeToken(
    resources,
    {
      granted: [{ resource, scopes: within(resource, holding.scopes) }],
      openId: false,
      named: holding.resource,
      scope: undefined,
    },
    { kind: 'person', groups: user.groups },
  )
  if (judgment.kind === 'refused') return { kind: 'refused', detail: judgment.description }
  if (judgment.kind === 'userinfo') throw new TypeError('a token for userinfo was not asked for')
  const issuedAt = Math.floor(stampMs / 1000)
  const expiresAt = Math.min(issuedAt + settings().accessTokenTtlSeconds, holding.endsAt)
  if (expiresAt <= issuedAt) return { kind: 'gone', why: 'expired' }
  const jti = makeJti(stampMs, randomBytes(16).toString('base64url'))
  const scope = judgment.scopes.join(' ')
  const token = await sign(parts, {
    ...personTokenClaims(
      resource,
      user,
      { ...holding, idp: standing.kind === 'good' ? standing.provider : undefined },
      holding.gid,
    ),
    ...{ iss: settings().identifier, sub: holding.sub, aud: resource.identifier, jti, iat: issuedAt, exp: expiresAt },
    ...{ client_id: holding.clientId, scope },
  })
  const { gid, clientId: client, sub } = holding
  parts.context.tell('token.issued', {
    client,
    sub,
    grant_type: client,
    resource: resource.identifier,
    scope,
    jti,
    gid,
  })
  return { kind: 'token', token, goodUntil: expiresAt }
}

function within({ scopes }: Resource, granted: readonly string[]) {
  return [...scopes.keys()].filter((scope) => granted.includes(scope))
}

type SigningKey = Awaited<ReturnType<typeof importJWK>>

const imported = new WeakMap<JWK, Promise<SigningKey>>()

async function sign({ privateJwks }: ExchangeParts, claims: Readonly<Record<string, unknown>>): Promise<string> {
  const [jwk] = privateJwks()
  if (jwk?.alg === undefined || jwk.kid === undefined) throw new TypeError('there is no key that signs')
  const key = imported.get(jwk) ?? importJWK(jwk, jwk.alg)
  imported.set(jwk, key)
  return new SignJWT({ ...claims }).setProtectedHeader({ alg: jwk.alg, typ: 'at+jwt', kid: jwk.kid }).sign(await key)
}
