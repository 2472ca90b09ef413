import type { IncomingMessage } from 'node:http'
import type { AccessToken, ClientCredentials, KoaContextWithOIDC, RefreshToken } from 'oidc-provider'
import { ROUTES } from './endpoints.ts'
import { incomingOf } from './incoming.ts'
import type { IssuerContext } from './issuer-context.ts'
import type { LiveToken, OwnTokens } from './own-token.ts'
import type { Middleware } from './token-endpoint.ts'

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

/**
 * Introspection (RFC 7662) and revocation (RFC 7009) of JWT access tokens, which the library declines once it has
 * authenticated the client.
 */
export function structuredTokens(context: IssuerContext, tokens: OwnTokens): Middleware {
  return async (ctx, next) => {
    await next()
    const { oidc } = ctx as unknown as KoaContextWithOIDC
    if (ctx.path === ROUTES.introspection && ctx.status === 400 && isNameless(ctx.req)) {
      ctx.status = 401
      ctx.body = { error: 'invalid_client', error_description: 'nothing says who asks: authenticate as a client' }
      return
    }
    const body = ctx.body as { error?: unknown } | undefined
    if (body?.error !== 'unsupported_token_type' || oidc.client === undefined) return
    const token = await tokens.read(String(oidc.params?.token ?? ''))
    ctx.status = 200
    if (oidc.route === 'revocation') {
      ctx.body = ''
      if (token?.clientId === oidc.client.clientId) {
        await context.acts.revokeJti(token.jti, token.expiresAt, `client ${token.clientId}`)
        context.tell('token.revoked', { jti: token.jti, client: token.clientId })
      }
    } else {
      const told =
        token !== undefined && (await mayInspect(context, oidc.client.clientId, { ...token, aud: token.resource }))
      ctx.body = told ? facts(token) : { active: false }
    }
  }
}

/** Whether a form comes without any word on its client; the library calls it a bad request, RFC 7662 §2.3 unauthorized. */
function isNameless(request: IncomingMessage): boolean {
  const { form } = incomingOf(request)
  return form.size > 0 && !form.has('client_id') && request.headers.authorization === undefined
}

function facts({ payload, scope }: LiveToken): Record<string, unknown> {
  const bound = payload.cnf !== undefined
  return { ...payload, active: true, scope: scope.join(' '), token_type: bound ? 'DPoP' : 'Bearer' }
}
