import type { IncomingMessage, ServerResponse } from 'node:http'
import type Provider from 'oidc-provider'
import type { Configuration, KoaContextWithOIDC } from 'oidc-provider'
import { lookupKey } from '../../store/sealed-payload.ts'
import { type IssuerContext, siteOf } from '../context.ts'
import { appendCookie, cookieName, isSecure, noteSignedOut } from '../http/cookies.ts'
import { issuerRequestOf, queryOf } from '../http/request.ts'
import type { Middleware } from '../http/steps.ts'
import { seal, unseal } from '../keys/sealing.ts'
import { leadOnPage } from '../pages/message.ts'
import { signedOutPage, signOutPage } from '../pages/sign-in.ts'
import type { PendingInteraction } from './context.ts'
import { namedClient, showPage } from './provider-pages.ts'

type Logout = NonNullable<NonNullable<Configuration['features']>['rpInitiatedLogout']>

const PURPOSE = 'way on after a sign-out'
/** A provider may ask a question first. */
const SHOWN_MS = 10 * 60_000

/** Signing out of this browser (OpenID Connect RP-Initiated Logout). What apps hold stays; revoking is another thing. */
export function logout(context: IssuerContext): Logout {
  return {
    enabled: true,
    logoutSource: async (ctx) => {
      const { session, client } = ctx.oidc
      const user = session?.accountId === undefined ? undefined : await context.store.userBySub(session.accountId)
      const page = signOutPage({
        site: siteOf(context),
        form: { action: '/oauth/logout/confirm', hidden: { xsrf: String(session?.state?.secret ?? '') } },
        account: user && { username: user.username, displayName: user.displayName },
        client: client && namedClient(client),
      })
      showPage(ctx, 200, page)
    },
    postLogoutSuccessSource: (ctx) => {
      showPage(ctx, 200, signedOutPage({ site: siteOf(context), next: undefined }))
    },
  }
}

/** The form's way on to the app goes by a page: browsers would hold the app's own redirects to our policy for forms. */
export function leadOnAfterSignOut(context: IssuerContext): Middleware {
  return async (ctx, next) => {
    await next()
    if (ctx.status !== 303) return
    const url = new URL(ctx.response.get('location'), context.settings().origin)
    if (url.origin === context.settings().origin) return
    const { oidc } = ctx as unknown as KoaContextWithOIDC
    ctx.remove('location')
    const { name } = namedClient(oidc.client)
    showPage(ctx as unknown as KoaContextWithOIDC, 200, leadOnPage({ site: siteOf(context), url: url.href, name }))
  }
}

/**
 * After the form: this browser is led to no provider without a click any more, and signed out at its provider too where the file says
 * so, which sends it back to the account page with the way on.
 */
export function signOutElsewhere(context: IssuerContext): Middleware {
  return async (ctx, next) => {
    await next()
    if (ctx.status !== 303 || issuerRequestOf(ctx.req).form.get('logout') !== 'yes') return
    noteSignedOut(context, ctx.res)
    context.federation.wake()
    const { oidc } = ctx as unknown as KoaContextWithOIDC
    const { uid, accountId: sub = '' } = oidc.session ?? {}
    const about = { client: oidc.client?.clientId, address: issuerRequestOf(ctx.req).address }
    if (uid !== undefined) await context.acts.signOutBrowser(sub, lookupKey(uid), sub, about)
    context.tell('session.ended', { sub, by: sub, ...about })
    const { origin } = context.settings()
    const onward = sealOnward(context, new URL(ctx.response.get('location'), origin).href)
    const there = await context.federation.signOutUrl(oidc.session?.uid ?? '', `${origin}/account`, onward)
    if (there === undefined) return
    ctx.remove('location')
    const page = leadOnPage({ site: siteOf(context), url: there, name: new URL(there).host })
    showPage(ctx as unknown as KoaContextWithOIDC, 200, page)
  }
}

/** Who is signed out already is led on at once; the library would show a form that sends itself by a script. */
export const skipNeedlessSignOut: Middleware = async (ctx, next) => {
  await next()
  if (ctx.status !== 200) return
  const { oidc } = ctx as unknown as { oidc: { session?: { accountId?: string }; params?: Record<string, unknown> } }
  if (oidc.session?.accountId !== undefined) return
  const { post_logout_redirect_uri: target, state } = oidc.params ?? {}
  const location = new URL(typeof target === 'string' ? target : '/oauth/logout/success', ctx.URL)
  if (typeof target === 'string' && typeof state === 'string') location.searchParams.set('state', state)
  ctx.body = null
  ctx.status = 303
  ctx.redirect(location.href)
}

/** Where the request that came back goes on; undefined for none of ours, and an old one. The URL was registered by a client. */
export function onwardOf(
  { masterKey, now }: Pick<IssuerContext, 'masterKey' | 'now'>,
  request: IncomingMessage,
): string | undefined {
  const state = queryOf(request).get('state')
  const text = state === null ? undefined : unseal(masterKey, PURPOSE, state)
  if (text === undefined) return undefined
  const { url, atMs }: { readonly url: string; readonly atMs: number } = JSON.parse(text)
  return Math.abs(now() - atMs) < SHOWN_MS ? url : undefined
}

/** Ends the browser's session; the interaction goes on without one. */
export async function leaveSession(
  context: IssuerContext,
  provider: Provider,
  interaction: PendingInteraction,
  response: ServerResponse,
): Promise<void> {
  const { uid } = interaction.session ?? {}
  const session = uid === undefined ? undefined : await provider.Session.findByUid(uid)
  await session?.destroy()
  interaction.session = undefined
  const { origin } = context.settings()
  const name = cookieName('session', origin)
  for (const each of [name, `${name}.sig`]) {
    appendCookie(response, `${each}=; path=/; max-age=0; httponly; samesite=lax${isSecure(origin) ? '; secure' : ''}`)
  }
}

/** The way on after a sign-out at a provider, as the `state` that it sends back (OpenID Connect RP-Initiated Logout §2). */
function sealOnward({ masterKey, now }: Pick<IssuerContext, 'masterKey' | 'now'>, url: string): string {
  return seal(masterKey, PURPOSE, JSON.stringify({ url, atMs: now() }))
}
