import { StoreError } from '../store/store.ts'
import { faultOf } from './fault.ts'
import type { IssuerContext } from './issuer-context.ts'
import type { Middleware } from './token-endpoint.ts'

/** Answers 503 when the store can't be reached, whether the library has noticed or not: the client may try again. */
export function storeFaults(context: IssuerContext): Middleware {
  return async (ctx, next) => {
    try {
      await next()
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      context.tell('issuer.fault', { path: ctx.path, ...faultOf(error) }, 'error')
      ctx.status = 503
    }
    if (ctx.status !== 503 && !failed.has(ctx.req)) return
    ctx.status = 503
    ctx.set({ 'retry-after': '5', 'cache-control': 'no-store' })
    // A page says what people can do already.
    if (ctx.type !== 'text/html')
      ctx.body = { error: 'temporarily_unavailable', error_description: 'the store can’t be reached; try again' }
  }
}

const failed = new WeakSet<object>()

/** Notes that the library answered a request with a fault of the store. */
export function noteStoreFault(request: object): void {
  failed.add(request)
}
