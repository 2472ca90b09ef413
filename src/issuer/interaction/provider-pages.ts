import type { Client, Configuration, KoaContextWithOIDC } from 'oidc-provider'
import { BROWSER_CLIENT } from '../clients/reserved.ts'
import { type IssuerContext, siteOf } from '../context.ts'
import { type PageOptions, pageHeaders } from '../http/response.ts'
import type { Middleware } from '../http/steps.ts'
import { errorPage } from '../pages/message.ts'
import { type PageClient, returnPlace } from '../pages/parties.ts'
import { type ConsentingClient, consentingClient, isAsked } from './authorization-view.ts'

/** Answers with a page of ours in the library's stead. */
export function showPage(
  ctx: Pick<KoaContextWithOIDC, 'set' | 'status' | 'body'>,
  status: number,
  page: string,
  options: PageOptions = {},
): void {
  ctx.status = status
  ctx.body = page
  ctx.set({ ...pageHeaders(options, page) })
}

/** A client for a page. `redirectUri`: where it sends people in this flow. */
export function pageClient(client: ConsentingClient, redirectUri: string | undefined): PageClient {
  return {
    name: client.name,
    verified: client.origin === 'operator',
    returnsTo: redirectUri === undefined ? undefined : returnPlace(redirectUri),
    idHost: isAsked(client) && client.origin === 'document' ? URL.parse(client.id)?.host : undefined,
    addresses: client.addresses,
    isHost: client.id === BROWSER_CLIENT,
  }
}

/** A client for a page that only names it. */
export function namedClient(client: Client | undefined): PageClient {
  const name = client?.clientName ?? client?.clientId ?? ''
  return { name: String(name), verified: true, returnsTo: undefined }
}

const TITLES: Readonly<Record<string, string>> = {
  invalid_client: 'This app is not known here',
  invalid_redirect_uri: 'This app may not send you there',
  access_denied: 'No access',
  temporarily_unavailable: 'Try again in a moment',
  server_error: 'Something went wrong here',
}

/** What the library can't answer by going back to the client. */
export function renderError(context: IssuerContext): NonNullable<Configuration['renderError']> {
  return (ctx, out) => {
    const expired = out.error === 'invalid_request' && /session|interaction|expired/.test(out.error_description ?? '')
    const page = errorPage({
      site: siteOf(context),
      title: expired ? 'This sign-in has expired' : (TITLES[out.error] ?? 'This request can’t be answered'),
      what: `${capitalised(out.error_description ?? out.error)}.`,
      advice: expired
        ? 'Go back to the app and start again; leave cookies allowed for this site.'
        : 'Go back to the app and try again. If it stays like this, tell whoever runs the app.',
      code: out.error,
      requestId: undefined,
    })
    showPage(ctx, Math.max(ctx.status, 400), page)
  }
}

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

/** Leads nobody to an address that was taken from its client after the request had come from there. */
export function stillRegistered(context: IssuerContext): Middleware {
  return async (ctx, next) => {
    await next()
    const { oidc } = ctx as unknown as Partial<Pick<KoaContextWithOIDC, 'oidc'>>
    const uri = oidc?.params?.redirect_uri
    if (oidc?.client === undefined || typeof uri !== 'string' || oidc.client.redirectUriAllowed(uri)) return
    ctx.remove('location')
    showPage(ctx as unknown as KoaContextWithOIDC, 400, expiredPage(context))
  }
}

/** For a sign-in that is over, unknown, or another browser's. */
export function expiredPage(context: IssuerContext): string {
  return errorPage({
    site: siteOf(context),
    title: 'This sign-in has expired',
    what: 'The page belongs to a sign-in that is over, or that was begun in another browser.',
    advice: 'Go back to the app and start again; leave cookies allowed for this site.',
    code: undefined,
    requestId: undefined,
  })
}

function capitalised(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`
}

/** The error code in a redirect's query or fragment, or in the form that sends itself (`response_mode=form_post`). */
function errorIn(answer: string): string | undefined {
  return /[?&#]error=([a-z_]{1,64})/.exec(answer)?.[1] ?? /name="error" value="([a-z_]{1,64})"/.exec(answer)?.[1]
}
