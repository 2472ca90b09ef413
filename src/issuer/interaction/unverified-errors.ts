import type { KoaContextWithOIDC } from 'oidc-provider'
import { type IssuerContext, siteOf } from '../context.ts'
import type { Middleware } from '../http/steps.ts'
import { errorPage } from '../pages/message.ts'
import { returnPlace } from '../pages/parties.ts'
import { consentingClient } from './authorization-view.ts'
import { showPage } from './provider-pages.ts'

/**
 * Shows a page where an authorization error would lead straight to an address that a client registered by itself: anybody could make
 * links to us that lead elsewhere (RFC 9700 §4.11.2). The person may go on by a link.
 */
export function unverifiedErrors(context: IssuerContext): Middleware {
  return async (ctx, next) => {
    await next()
    const { oidc } = ctx as unknown as Partial<Pick<KoaContextWithOIDC, 'oidc'>>
    const location = ctx.response.get('location')
    const error = errorIn(location) ?? errorIn(typeof ctx.body === 'string' ? ctx.body : '')
    if (oidc?.client === undefined || error === undefined) return
    if ((await consentingClient(context, oidc.client)).origin === 'operator') return
    ctx.remove('location')
    const onward = location === '' ? undefined : { url: location, label: `Go back to ${returnPlace(location)}` }
    const page = errorPage({
      site: siteOf(context),
      title: 'This request can’t be answered',
      what: 'An app that registered itself sent you here with a request that can’t be answered.',
      advice: 'Nobody here has checked who made it. Go back only if you started this yourself.',
      code: error,
      requestId: undefined,
      onward,
    })
    showPage(ctx as unknown as KoaContextWithOIDC, 400, page)
  }
}

/** The error code in a redirect's query or fragment, or in the form that sends itself (`response_mode=form_post`). */
function errorIn(answer: string): string | undefined {
  return /[?&#]error=([a-z_]{1,64})/.exec(answer)?.[1] ?? /name="error" value="([a-z_]{1,64})"/.exec(answer)?.[1]
}
