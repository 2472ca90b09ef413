import type Provider from 'oidc-provider'
import type { KoaContextWithOIDC } from 'oidc-provider'
import type { IssuerContext } from '../context.ts'
import { issuerRequestOf } from '../http/request.ts'
import type { KeyedLock } from '../keyed-lock.ts'
import { redemptionOf } from './redemption.ts'
import type { RefreshAnswers } from './refresh-answers.ts'
import { refreshRequestOf, type SpentCodes } from './token-gate.ts'

/** A step around the library's endpoints. */
export type Middleware = Parameters<Provider['use']>[0]

/** Path of the token endpoint. */
export const TOKEN_PATH = '/oauth/token'

export interface TokenEndpointParts {
  readonly context: IssuerContext
  readonly answers: RefreshAnswers
  readonly codes: SpentCodes
  readonly turns: KeyedLock
}

/**
 * What goes around the library's token endpoint: requests with one code or refresh token take turns, a repeat gets the
 * answer that was lost, and what was ended while the token was being made is not handed out.
 */
export function tokenEndpoint(parts: TokenEndpointParts): Middleware {
  return async (ctx, next) => {
    if (ctx.path !== TOKEN_PATH || ctx.method !== 'POST') return next()
    const { form } = issuerRequestOf(ctx.req)
    const spent = form.get('refresh_token') ?? form.get('code') ?? form.get('device_code') ?? undefined
    const answer = async (): Promise<void> => {
      await next()
      await afterwards(parts, ctx as unknown as KoaContextWithOIDC)
    }
    return spent === undefined ? answer() : parts.turns.take(spent, answer)
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
  if (redemption === undefined) return
  if (!(await stands(parts.context, ctx))) return refuseEnded(parts.context, ctx)
  if (ctx.status !== 200) return
  const { form } = issuerRequestOf(ctx.req)
  const answer = ctx.body as Record<string, unknown>
  if (form.get('grant_type') === 'refresh_token') return parts.answers.keep(refreshRequestOf(ctx), answer)
  const code = form.get('code') ?? form.get('device_code')
  if (code !== null) parts.codes.spent(code, performance.now())
}

/** Whether an act of revocation came between the judgment and here. */
async function stands({ store }: IssuerContext, ctx: KoaContextWithOIDC): Promise<boolean> {
  const client = await store.client(ctx.oidc.client?.clientId ?? '')
  if (client?.revoked === true) return false
  const redemption = redemptionOf(ctx.req)
  return redemption?.kind !== 'person' || (await store.model('Grant', redemption.grantId)) !== undefined
}

/** Its tokens are made already: whoever holds one must find it revoked. */
async function refuseEnded(context: IssuerContext, ctx: KoaContextWithOIDC): Promise<void> {
  const redemption = redemptionOf(ctx.req)
  if (redemption?.kind === 'person') await context.acts.revokeAuthorization(redemption.gid, 'token endpoint')
  ctx.status = 400
  ctx.body = { error: 'invalid_grant', error_description: 'the authorization has ended' }
}
