import type { Configuration } from 'oidc-provider'
import { type IssuerContext, siteOf } from '../context.ts'
import { formSource } from '../http/response.ts'
import { signedOutPage, signOutPage } from '../pages/sign-in.ts'
import type { Middleware } from '../tokens/token-endpoint.ts'
import { namedClient, showPage } from './provider-pages.ts'

type Logout = NonNullable<NonNullable<Configuration['features']>['rpInitiatedLogout']>

/** Signing out of this browser (OpenID Connect RP-Initiated Logout). What apps hold stays; revoking is another thing. */
export function logout(context: IssuerContext): Logout {
  return {
    enabled: true,
    logoutSource: async (ctx) => {
      const { session, client, params } = ctx.oidc
      const user = session?.accountId === undefined ? undefined : await context.store.userBySub(session.accountId)
      const next = formSource(String(params?.post_logout_redirect_uri ?? ''))
      const page = signOutPage({
        site: siteOf(context),
        form: { action: '/oauth/logout/confirm', hidden: { xsrf: String(session?.state?.secret ?? '') } },
        account: user && { username: user.username, displayName: user.displayName },
        client: client && namedClient(client),
      })
      showPage(ctx, 200, page, { formAction: next === undefined ? [] : [next] })
    },
    postLogoutSuccessSource: (ctx) => {
      showPage(ctx, 200, signedOutPage({ site: siteOf(context), next: undefined }))
    },
  }
}

/** Who is signed out already is led on at once; the library would show a form that sends itself by a script. */
export const skipNeedlessSignOut: Middleware = async (ctx, next) => {
  await next()
  if (ctx.path !== '/oauth/logout' || ctx.status !== 200) return
  const { oidc } = ctx as unknown as { oidc: { session?: { accountId?: string }; params?: Record<string, unknown> } }
  if (oidc.session?.accountId !== undefined) return
  const { post_logout_redirect_uri: target, state } = oidc.params ?? {}
  const location = new URL(typeof target === 'string' ? target : '/oauth/logout/success', ctx.URL)
  if (typeof target === 'string' && typeof state === 'string') location.searchParams.set('state', state)
  ctx.body = null
  ctx.status = 303
  ctx.redirect(location.href)
}
