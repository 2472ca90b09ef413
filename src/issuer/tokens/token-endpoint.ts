import type { KoaContextWithOIDC } from 'oidc-provider'
import type { IssuerContext } from '../context.ts'
import { issuerRequestOf } from '../http/request.ts'
import type { Middleware } from '../http/steps.ts'
import { askBeforehand } from './provider-standing.ts'
import { redemptionOf } from './redemption.ts'
import type { RefreshAnswers } from './refresh-answers.ts'
import { refreshRequestOf } from './token-gate.ts'

/**
 * Makes a request one unit of work of the store, with its audit lines. Nothing is kept of one that failed here.
 * Stands around {@link keepAnswers}.
 */
export function oneUnit({ store }: IssuerContext): Middleware {
  const answer = async (ctx: Parameters<Middleware>[0], next: () => Promise<void>): Promise<void> => {
    await next()
    await Promise.all(issuerRequestOf(ctx.req).pending.splice(0))
  }
  return (ctx, next) =>
    ctx.method === 'POST'
      ? store.unit(
          () => answer(ctx, next),
          () => ctx.status < 500,
        )
      : next()
}

/** Asks the provider that somebody signed in at, before anything is begun that others would wait for. */
export function askBefore(context: IssuerContext): Middleware {
  return async (ctx, next) => {
    if (ctx.method === 'POST') await askBeforehand(context, ctx.req)
    await next()
  }
}

/** Keeps the answer to a refresh request for a repeat, and gives a repeat the answer that was lost. */
export function keepAnswers(context: IssuerContext, answers: RefreshAnswers): Middleware {
  return async (ctx, next) => {
    await next()
    if (ctx.method === 'POST') await afterwards({ context, answers }, ctx as unknown as KoaContextWithOIDC)
  }
}

interface TokenEndpointParts {
  readonly context: IssuerContext
  readonly answers: RefreshAnswers
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
