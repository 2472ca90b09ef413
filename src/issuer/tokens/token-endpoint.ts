import type Provider from 'oidc-provider'
import type { KoaContextWithOIDC } from 'oidc-provider'
import type { IssuerContext } from '../context.ts'
import { ROUTES } from '../http/endpoints.ts'
import { issuerRequestOf } from '../http/request.ts'
import { askBeforehand } from './provider-standing.ts'
import { redemptionOf } from './redemption.ts'
import type { RefreshAnswers } from './refresh-answers.ts'
import { refreshRequestOf } from './token-gate.ts'

/** A step around the library's endpoints. */
export type Middleware = Parameters<Provider['use']>[0]

/** Path of the token endpoint. */
export const TOKEN_PATH = '/oauth/token'

const IN_ONE_STEP: ReadonlySet<string> = new Set([TOKEN_PATH, ROUTES.revocation])

export interface TokenEndpointParts {
  readonly context: IssuerContext
  readonly answers: RefreshAnswers
}

/**
 * What goes around the library's token and revocation endpoints: a request is one unit of work, with its audit lines and the answer that is
 * kept for a repeat, and a repeat gets the answer that was lost. Nothing is kept of a request that failed here.
 */
export function tokenEndpoint(parts: TokenEndpointParts): Middleware {
  const answer = async (ctx: Parameters<Middleware>[0], next: () => Promise<void>): Promise<void> => {
    await next()
    await afterwards(parts, ctx as unknown as KoaContextWithOIDC)
    await Promise.all(issuerRequestOf(ctx.req).pending.splice(0))
  }
  return async (ctx, next) => {
    if (!IN_ONE_STEP.has(ctx.path) || ctx.method !== 'POST') return next()
    if (ctx.path === TOKEN_PATH) await askBeforehand(parts.context, ctx.req)
    return parts.context.store.unit(
      () => answer(ctx, next),
      () => ctx.status < 500,
    )
  }
}

async function afterwards(parts: TokenEndpointParts, ctx: KoaContextWithOIDC): Promise<void> {
  const redemption = redemptionOf(ctx.req)
  if (redemption?.kind === 'repeat') {
    ctx.status = 200
    ctx.body = redemption.answer
    const client = ctx.oidc.client?.clientId
    return parts.context.record('refresh.repeated', { client, address: issuerRequestOf(ctx.req).address })
  }
  if (redemption === undefined || ctx.status !== 200) return
  if (issuerRequestOf(ctx.req).form.get('grant_type') !== 'refresh_token') return
  await parts.answers.keep(await refreshRequestOf(ctx), ctx.body as Record<string, unknown>)
}
