import type { Configuration, KoaContextWithOIDC } from 'oidc-provider'
import { deviceLabel } from './device-label.ts'
import { incomingOf } from './incoming.ts'
import { type IssuerContext, seconds, siteOf } from './issuer-context.ts'
import { namedClient, showPage } from './library-pages.ts'
import { deviceCodePage, deviceDeniedPage, deviceDonePage } from './pages/device.ts'

type DeviceFlow = NonNullable<NonNullable<Configuration['features']>['deviceFlow']>

const PROBLEMS: Readonly<Record<string, string>> = {
  NoCodeError: 'Type the code that your device shows.',
  NotFoundError: 'This code is not known. Look at your device and type it again.',
  ExpiredError: 'This code has expired. Let your device ask for a new one.',
  AlreadyUsedError: 'This code was used already. Let your device ask for a new one.',
}

/** The pages of the device flow (RFC 8628 §3.3). Approval is a page of its own, see `interactions.ts`. */
export function deviceFlow(context: IssuerContext): DeviceFlow {
  return {
    enabled: true,
    charset: 'base-20',
    mask: '****-****',
    deviceInfo: (ctx) => ({
      address: incomingOf(ctx.req).address,
      device: deviceLabel(ctx.get('user-agent')),
      at: seconds(context),
    }),
    userCodeInputSource: (ctx, _form, _out, error) => showCodePage(context, ctx, error),
    // Never reached: the form says `confirm`, because approval comes after sign-in and always asks.
    userCodeConfirmSource: (ctx) => showCodePage(context, ctx, undefined),
    successSource: (ctx) => {
      showPage(ctx, 200, deviceDonePage({ site: siteOf(context), client: namedClient(ctx.oidc.client) }))
    },
  }
}

/** The name of the library's error for a code that nobody was given. */
export function isWrongCode(error: Error | undefined): boolean {
  return error?.name === 'NotFoundError'
}

function showCodePage(context: IssuerContext, ctx: KoaContextWithOIDC, error: Error | undefined): void {
  // What came has no session that it was made for; the library has made another that it can't keep any more.
  if (error !== undefined && ctx.oidc.session?.exp === undefined) {
    beginAgain(ctx)
    return
  }
  const site = siteOf(context)
  const { form, userCode } = incomingOf(ctx.req)
  if (error?.name === 'AbortedError') {
    showPage(ctx, 200, deviceDeniedPage({ site, client: namedClient(ctx.oidc.client) }))
    return
  }
  const problem = error && (PROBLEMS[error.name] ?? 'This form has expired. Type the code again.')
  // The library made it for this session a moment ago and hands it on inside of its own form only.
  const xsrf = String(ctx.oidc.session?.state?.secret ?? '')
  const page = deviceCodePage({
    site,
    form: { action: '/oauth/device', hidden: { xsrf } },
    userCode: form.get('user_code') ?? userCode,
    problem,
  })
  showPage(ctx, problem === undefined ? 200 : 400, page)
}

/** Leads to the page, which begins a session that can be kept. */
function beginAgain(ctx: KoaContextWithOIDC): void {
  if (ctx.oidc.session !== undefined) Object.assign(ctx.oidc.session, { touched: false })
  ctx.redirect('/oauth/device')
  ctx.status = 303
}
