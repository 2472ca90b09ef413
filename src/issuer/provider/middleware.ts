import { createHash } from 'node:crypto'
import type { KoaContextWithOIDC } from 'oidc-provider'
import { StoreError } from '../../store/store.ts'
import { faultOf, type IssuerContext } from '../context.ts'
import { faultPage, isForPeople, RETRY_SECONDS, STORE_AWAY, shownPath } from '../http/fault-answer.ts'
import { issuerRequestOf } from '../http/request.ts'
import { pageHeaders } from '../http/response.ts'
import type { Middleware } from '../http/steps.ts'
import { keepsOpener } from '../interaction/authorization-view.ts'
import type { IssuerSettings } from '../issuer.ts'
import { OPENID_SCOPES } from '../people/people.ts'

/** Answers 503 when the store can't be reached, whether the library has noticed or not: the client may try again. */
export function storeFaults(context: IssuerContext): Middleware {
  return async (ctx, next) => {
    try {
      await next()
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      context.tell('issuer.fault', { path: shownPath(ctx.path), ...faultOf(error) }, 'error')
      ctx.status = 503
    }
    if (ctx.status !== 503 && !failed.has(ctx.req)) return
    const answer = ctx.body as { error?: unknown } | undefined
    if (!failed.has(ctx.req) && answer?.error === 'temporarily_unavailable') {
      // A provider that people sign in at is silent.
      ctx.set({ 'retry-after': '10', 'cache-control': 'no-store' })
      return
    }
    ctx.status = 503
    ctx.set({ 'retry-after': String(RETRY_SECONDS), 'cache-control': 'no-store' })
    // A page says what people can do already.
    if (ctx.type === 'text/html') return
    if (!isForPeople(ctx.req)) ctx.body = STORE_AWAY
    else {
      const page = faultPage(context, true)
      ctx.set({ ...pageHeaders({}, page) })
      ctx.body = page
    }
  }
}

const failed = new WeakSet<object>()

/** Notes that the library answered a request with a fault of the store. */
export function noteStoreFault(request: object): void {
  failed.add(request)
}

/** Acts and audit lines that the library's events began are in force before the client has its answer. */
export const whenAllIsDone: Middleware = async (ctx, next) => {
  await next()
  const { pending } = issuerRequestOf(ctx.req)
  await Promise.all(pending.splice(0))
}

/** How long keys and metadata may be kept; a new key is published longer than that before it signs. */
const MAX_AGE_SECONDS = 60

/** Lets what the library publishes be kept for a minute. */
export const keptForAMinute: Middleware = async (ctx, next) => {
  await next()
  if (ctx.status === 200 && ctx.method !== 'OPTIONS') ctx.set('cache-control', `public, max-age=${MAX_AGE_SECONDS}`)
}

/** Completes what the library says of itself (RFC 8414, OpenID Connect Discovery). */
export function completeMetadata(settings: () => IssuerSettings): Middleware {
  return async (ctx, next) => {
    await next()
    if (ctx.status !== 200 || ctx.method === 'OPTIONS') return
    ctx.body = complete(ctx.body as Record<string, unknown>, settings())
  }
}

function complete(document: Record<string, unknown>, { resources }: IssuerSettings): Record<string, unknown> {
  const methods = document.token_endpoint_auth_methods_supported
  const grants = document.grant_types_supported
  return {
    ...document,
    scopes_supported: [...OPENID_SCOPES.keys(), ...resources.flatMap((resource) => [...resource.scopes.keys()])],
    grant_types_supported: Array.isArray(grants) ? grants.filter((grant) => grant !== 'implicit') : grants,
    revocation_endpoint_auth_methods_supported: methods,
    introspection_endpoint_auth_methods_supported: methods,
    // RFC 9728 §4.
    protected_resources: resources.map((resource) => resource.identifier),
  }
}

/**
 * Gives the library's page for `response_mode=form_post` the headers of every page, save that its form, which is the library's
 * and leads to where the client registered, may lead on from there to wherever the client wants. Its one script may run; it
 * works without, by a button.
 */
export function formPostPage(context: IssuerContext): Middleware {
  return async (ctx, next) => {
    await next()
    if (ctx.type !== 'text/html' || ctx.status === 303) return
    if (ctx.res.hasHeader('content-security-policy') || typeof ctx.body !== 'string') return
    const kept = await keepsOpener(context, ctx as unknown as KoaContextWithOIDC)
    const headers = pageHeaders({ keepsOpener: kept })
    const script = /<script>([\s\S]*?)<\/script>/.exec(ctx.body)?.[1] ?? ''
    const hash = createHash('sha256').update(script).digest('base64')
    const policy = `${headers['content-security-policy']} *; script-src 'sha256-${hash}'`
    ctx.set({ ...headers, 'content-security-policy': policy })
  }
}
