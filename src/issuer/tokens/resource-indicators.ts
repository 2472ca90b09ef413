import type { Configuration, KoaContextWithOIDC, ResourceServer } from 'oidc-provider'
import type { Resource } from '../../core/resource.ts'
import { type IssuerContext, resourceById } from '../context.ts'
import { OPENID_SCOPES } from '../people/people.ts'
import { toLibraryError } from './errors.ts'
import { type ResourceScopes, readResourceRequest, unknownResource } from './policy.ts'
import { redemptionOf } from './redemption.ts'
import { splitScope, type TokenGate } from './token-gate.ts'

type ResourceIndicators = NonNullable<NonNullable<Configuration['features']>['resourceIndicators']>

/**
 * The library's view of resources (RFC 8707). At the token endpoint it follows what the gate has judged; elsewhere it checks
 * what is asked for, whoever asks: what a person may have is decided where the person is known.
 */
export function resourceHooks(context: IssuerContext, gate: TokenGate): ResourceIndicators {
  return {
    enabled: true,
    defaultResource: async (ctx, _client, oneOf) => {
      if (ctx.oidc.route === 'token') return judgedResource(ctx, gate)
      if (oneOf !== undefined) return oneOf
      const [first, ...others] = askOf(context, ctx).map(({ resource }) => resource.identifier)
      return first === undefined || others.length > 0 ? [first, ...others].filter((each) => each !== undefined) : first
    },
    useGrantedResource: async (ctx) => {
      const redemption = redemptionOf(ctx.req)
      return redemption !== undefined && redemption.kind !== 'repeat' && redemption.judgment.kind === 'token'
    },
    getResourceServerInfo: async (ctx, indicator) => {
      const { settings } = context
      if (ctx.oidc.route === 'token') return judgedInfo(context, ctx, gate, indicator)
      askOf(context, ctx)
      const resource = resourceById(settings().resources, indicator)
      if (resource === undefined) throw toLibraryError(unknownResource(settings().resources, indicator))
      return resourceServer(context, resource, [...resource.scopes.keys()])
    },
  }
}

/** What the authorization request in hand asks for. Throws the library's error when that can't be. */
function askOf(context: IssuerContext, ctx: KoaContextWithOIDC): readonly ResourceScopes[] {
  const { resource, scope } = ctx.oidc.params ?? {}
  return readParameters(context, resource, scope)
}

/** As {@link askOf}, from the parameters that an interaction has kept. */
export function readParameters(context: IssuerContext, resource: unknown, scope: unknown): readonly ResourceScopes[] {
  const named = [resource ?? []].flat().filter((each) => typeof each === 'string')
  const scopes = splitScope(typeof scope === 'string' ? scope : '')
  const openId = scopes.some((each) => OPENID_SCOPES.has(each))
  const ask = readResourceRequest(context.settings().resources, named, scopes, openId)
  if (ask.kind === 'refused') throw toLibraryError(ask)
  return ask.shares
}

async function judgedResource(ctx: KoaContextWithOIDC, gate: TokenGate): Promise<string | undefined> {
  const redemption =
    ctx.oidc.params?.grant_type === 'client_credentials' ? await gate.forService(ctx) : redemptionOf(ctx.req)
  if (redemption === undefined || redemption.kind === 'repeat') return undefined
  return redemption.judgment.kind === 'token' ? redemption.judgment.resource.identifier : undefined
}

async function judgedInfo(
  context: IssuerContext,
  ctx: KoaContextWithOIDC,
  gate: TokenGate,
  indicator: string,
): Promise<ResourceServer> {
  const judged = await judgedResource(ctx, gate)
  const redemption = redemptionOf(ctx.req)
  if (redemption === undefined || redemption.kind === 'repeat' || redemption.judgment.kind !== 'token') {
    throw toLibraryError(unknownResource(context.settings().resources, indicator))
  }
  if (judged !== indicator) throw toLibraryError(unknownResource(context.settings().resources, indicator))
  return resourceServer(context, redemption.judgment.resource, redemption.judgment.scopes)
}

function resourceServer(context: IssuerContext, resource: Resource, scopes: readonly string[]): ResourceServer {
  const { accessTokenTtlSeconds, signingAlg } = context.settings()
  return {
    scope: scopes.join(' '),
    audience: resource.identifier,
    accessTokenTTL: accessTokenTtlSeconds,
    accessTokenFormat: 'jwt',
    jwt: { sign: { alg: signingAlg } },
  }
}
