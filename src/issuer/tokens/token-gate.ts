import type { IncomingMessage } from 'node:http'
import { calculateJwkThumbprint, decodeProtectedHeader } from 'jose'
import type { AdapterPayload, KoaContextWithOIDC } from 'oidc-provider'
import Provider from 'oidc-provider'
import { gidOf } from '../../store/sealed-payload.ts'
import type { ModelColumns, UserRecord } from '../../store/store.ts'
import { type IssuerContext, resourceById, seconds } from '../context.ts'
import { endedMeanwhile } from '../http/ended-meanwhile.ts'
import { issuerRequestOf } from '../http/request.ts'
import { OPENID_SCOPES, type Person } from '../people/people.ts'
import { satisfies } from '../people/step-ups.ts'
import { takeLabel } from './authorization-label.ts'
import { invalidGrant, toLibraryError } from './errors.ts'
import { judgeService, judgeToken, type ResourceScopes } from './policy.ts'
import { standingFor, withGroups } from './provider-standing.ts'
import { noteRedemption, type Redemption, redemptionOf } from './redemption.ts'
import type { RefreshAnswers, RefreshRequest } from './refresh-answers.ts'

/** What the library's storage asks before it lets something be spent. */
export interface SpendingRules {
  /** Milliseconds. */
  readonly now: () => number
  /** Throws the library's error when the code may not be redeemed now; it stays as it is then. */
  readonly beforeRedeeming: (model: string, id: string, payload: AdapterPayload) => Promise<void>
  /** Called once what {@link SpendingRules.beforeRedeeming} let pass has been spent. */
  readonly afterRedeeming: (model: string, id: string) => Promise<void>
  /**
   * Whether the row that was spent already is to look unspent to the request in hand: one that came in before the winner was
   * answered, or that repeats what it did not hear. It can't be spent again all the same.
   */
  readonly looksUnspent: (model: string, id: string) => Promise<boolean>
  /** Whether an act of revocation has ended, since the request in hand came in, what was stored for it. */
  readonly endedMeanwhile: (of: Pick<ModelColumns, 'accountId' | 'clientId'>) => Promise<boolean>
}

/** What is spent at the token endpoint, and when it may be. Everything is judged before anything is spent. */
export interface TokenGate extends SpendingRules {
  /** Judges a refresh: throws the library's error while the refresh token is as it was. */
  readonly beforeRotating: (ctx: KoaContextWithOIDC) => Promise<boolean>
  /** Judges client_credentials. */
  readonly forService: (ctx: KoaContextWithOIDC) => Promise<Extract<Redemption, { kind: 'service' }>>
}

type Source = Pick<AdapterPayload, 'accountId' | 'grantId' | 'resource' | 'scope'>

export function createTokenGate(context: IssuerContext, answers: RefreshAnswers): TokenGate {
  /** Requests with a refresh token that was spent and whose answer is kept. */
  const repeats = new WeakSet<IncomingMessage>()
  return {
    now: context.now,
    looksUnspent: async (model, id) => {
      const request = Provider.ctx?.req
      if (request === undefined) return false
      if (model === 'RefreshToken') {
        const kept = await answers.holds(id)
        if (kept) repeats.add(request)
        return kept
      }
      // A request that was on its way before the first one was answered is a double, not a theft: it gets nothing, and costs
      // nothing. One that came later is a replay. Two intervals are compared, so no two clocks have to agree.
      const since = await context.store.sinceSpentMs(model, id)
      return since !== undefined && since < performance.now() - issuerRequestOf(request).arrivedAt
    },
    endedMeanwhile: async ({ accountId, clientId }) => {
      const request = Provider.ctx?.req
      return request !== undefined && endedMeanwhile(context, request, { sub: accountId, clientId })
    },
    beforeRedeeming: async (_model, _id, payload) => {
      const ctx = Provider.ctx
      if (ctx === undefined || payload.error !== undefined) return
      await judge(context, ctx, payload)
    },
    // Not before: a code that an act ends in the meantime must not leave a connection to be seen.
    afterRedeeming: async (model, id) => {
      const ctx = Provider.ctx
      if (ctx !== undefined) await recordAuthorization(context, ctx)
      await context.store.stampSpent(model, id)
    },
    beforeRotating: async (ctx) => {
      const token = ctx.oidc.entities.RefreshToken
      if (token === undefined) throw new TypeError('a refresh without a refresh token')
      // A token is spent and its answer kept in one commit, and this request has the token locked: none is kept of an unspent one.
      const earlier = repeats.has(ctx.req) ? await answers.recall(await refreshRequestOf(ctx)) : undefined
      if (earlier === 'other') throw invalidGrant('refresh_token was redeemed before, with other parameters')
      if (earlier !== undefined) {
        noteRedemption(ctx.req, { kind: 'repeat', answer: earlier })
        throw invalidGrant('answered before')
      }
      if (token.totalLifetime() >= context.settings().refreshTokenMaxSeconds) {
        throw invalidGrant('the sign-in is too long ago; sign in again')
      }
      await refuseAfterStepUp(context, token)
      await judge(context, ctx, token)
      await recordAuthorization(context, ctx)
      return true
    },
    forService: async (ctx) => {
      const noted = redemptionOf(ctx.req)
      if (noted?.kind === 'service') return noted
      const clientId = ctx.oidc.client?.clientId ?? ''
      // An act on the client comes before or after this request, as it does for those that spend something.
      await context.store.hold({ clientId })
      const client = await context.store.client(clientId)
      if (client === undefined || client.revoked) throw invalidGrant('the client has been revoked')
      const { form } = issuerRequestOf(ctx.req)
      const scope = splitScope(form.get('scope'))
      const judgment = judgeService(context.settings().resources, form.getAll('resource'), scope, {
        kind: 'service',
        allow: client.allow,
      })
      if (judgment.kind === 'refused') throw toLibraryError(judgment)
      const redemption = { kind: 'service', judgment } as const
      noteRedemption(ctx.req, redemption)
      return redemption
    },
  }
}

/** A client that only ever refreshes is sent to authorize anew while a request of its was refused for its sign-in. */
async function refuseAfterStepUp(
  { stepUps, store, now }: IssuerContext,
  token: Pick<AdapterPayload, 'accountId' | 'clientId' | 'acr' | 'authTime'>,
): Promise<void> {
  const clientId = token.clientId ?? ''
  const need = await stepUps.refused(token.accountId ?? '', clientId)
  if (need === undefined || satisfies(need, { acr: token.acr, authTime: token.authTime }, Math.floor(now() / 1000)))
    return
  if ((await store.client(clientId))?.stepUp === 'reauthorize')
    throw invalidGrant('a better or fresher sign-in is needed; authorize again')
}

/** What a refresh request asks, for telling a repeat from another request. The proof must have been checked. */
export async function refreshRequestOf(ctx: KoaContextWithOIDC): Promise<RefreshRequest> {
  const { form } = issuerRequestOf(ctx.req)
  return {
    refreshToken: form.get('refresh_token') ?? '',
    clientId: ctx.oidc.client?.clientId ?? '',
    resource: form.getAll('resource'),
    scope: form.get('scope') ?? undefined,
    jkt: await thumbprintOf(ctx.req.headers.dpop),
  }
}

/** The thumbprint (RFC 7638) of the key that a DPoP proof was made with; undefined without a proof. */
async function thumbprintOf(proof: string | readonly string[] | undefined): Promise<string | undefined> {
  if (typeof proof !== 'string') return undefined
  const { jwk } = decodeProtectedHeader(proof)
  return jwk === undefined ? undefined : calculateJwkThumbprint(jwk)
}

/** Throws the library's error, or notes what may be had. */
async function judge(context: IssuerContext, ctx: KoaContextWithOIDC, source: Source): Promise<void> {
  const { store } = context
  const gid = gidOf(source.grantId ?? '')
  const standing = await standingFor(context, ctx.req, gid)
  // What the library has read since the token was locked is as good as another look.
  const account = personOf(ctx, source.accountId) ?? (await store.userBySub(source.accountId ?? ''))
  const user = account && withGroups(account, standing)
  const read = ctx.oidc.entities.Grant
  const grant = read?.jti === source.grantId ? read : await ctx.oidc.provider.Grant.find(source.grantId ?? '')
  if (user === undefined || user.disabled || grant === undefined) throw invalidGrant('the authorization has ended')
  const { resources } = context.settings()
  const scope = new Set(splitScope(source.scope))
  const granted = [source.resource ?? []].flat().flatMap((identifier): readonly ResourceScopes[] => {
    const resource = resourceById(resources, identifier)
    if (resource === undefined) return []
    const held = splitScope(grant.getResourceScopeFiltered(identifier, scope))
    return [{ resource, scopes: [...resource.scopes.keys()].filter((each) => held.includes(each)) }]
  })
  const judgment = judgeToken(
    resources,
    {
      granted,
      openId: grant.getOIDCScopeFiltered(scope) !== '' && scope.has('openid'),
      named: oneResource(ctx.req),
      scope: narrowing(ctx.req),
    },
    { kind: 'person', groups: user.groups },
  )
  if (judgment.kind === 'refused') throw toLibraryError(judgment)
  noteRedemption(ctx.req, {
    kind: 'person',
    judgment,
    user,
    granted: sharesByName(
      granted,
      [...scope].filter((each) => OPENID_SCOPES.has(each)),
    ),
    grantId: source.grantId ?? '',
    gid,
    idp: standing.kind === 'good' ? standing.provider : undefined,
  })
}

/** As the library found the person during this request; undefined when it has not looked, or looked for another one. */
function personOf(ctx: KoaContextWithOIDC, sub: string | undefined): UserRecord | undefined {
  const account = ctx.oidc.entities.Account
  return account !== undefined && account.accountId === sub && 'user' in account ? (account as Person).user : undefined
}

/** Records the authorization, or that it was used again, for its person to see and end. */
async function recordAuthorization(context: IssuerContext, ctx: KoaContextWithOIDC): Promise<void> {
  const redemption = redemptionOf(ctx.req)
  if (redemption?.kind !== 'person') return
  const { gid, user, granted } = redemption
  if (await context.store.renewAuthorization(gid, granted, seconds(context))) return
  await context.store.putAuthorization({
    gid,
    sub: user.sub,
    clientId: ctx.oidc.client?.clientId ?? '',
    resources: granted,
    label: await takeLabel(context.store, gid),
    createdAt: seconds(context),
    lastUsedAt: seconds(context),
    ended: false,
  })
}

function oneResource(request: IncomingMessage): string | undefined {
  const named = issuerRequestOf(request).form.getAll('resource')
  if (named.length <= 1) return named[0]
  throw toLibraryError({ error: 'invalid_target', description: 'resource: a token is for one; name one only' })
}

/** `scope` narrows a refresh; with a code it means nothing (RFC 6749 §4.1.3). */
function narrowing(request: IncomingMessage): readonly string[] | undefined {
  const { form } = issuerRequestOf(request)
  const scope = splitScope(form.get('scope'))
  return form.get('grant_type') === 'refresh_token' && scope.length > 0 ? scope : undefined
}

function sharesByName(shares: readonly ResourceScopes[], openId: readonly string[]): Record<string, readonly string[]> {
  const named = shares.map(({ resource, scopes }): [string, readonly string[]] => [resource.identifier, scopes])
  return Object.fromEntries(openId.length === 0 ? named : [...named, ['', openId]])
}

/** Scope-tokens of a `scope` value. */
export function splitScope(scope: string | null | undefined): readonly string[] {
  return (scope ?? '').split(' ').filter((each) => each !== '')
}
