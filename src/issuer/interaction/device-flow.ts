import { setTimeout as delay } from 'node:timers/promises'
import type { Configuration, KoaContextWithOIDC } from 'oidc-provider'
import { addressGroup } from '../../core/address.ts'
import { type IssuerContext, seconds, siteOf } from '../context.ts'
import { sessionFormSecret } from '../http/form-guard.ts'
import { issuerRequestOf } from '../http/request.ts'
import type { Middleware } from '../http/steps.ts'
import { deviceCodePage, deviceDeniedPage, deviceDonePage } from '../pages/device.ts'
import type { Bucket } from '../people/buckets.ts'
import { deviceLabel } from '../tokens/authorization-label.ts'
import { namedClient, showPage } from './provider-pages.ts'

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
      address: issuerRequestOf(ctx.req).address,
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

function showCodePage(context: IssuerContext, ctx: KoaContextWithOIDC, error: Error | undefined): void {
  // What came has no session that it was made for; the library has made another that it can't keep any more.
  if (error !== undefined && ctx.oidc.session?.exp === undefined) {
    beginAgain(ctx)
    return
  }
  const site = siteOf(context)
  const { form, userCode } = issuerRequestOf(ctx.req)
  if (error?.name === 'AbortedError') {
    showPage(ctx, 200, deviceDeniedPage({ site, client: namedClient(ctx.oidc.client) }))
    return
  }
  const problem = error && (PROBLEMS[error.name] ?? 'This form has expired. Type the code again.')
  // Made from the session's id: a visitor's session takes no row that could hold it.
  const { session } = ctx.oidc
  const xsrf = session === undefined ? '' : sessionFormSecret(context.masterKey, session.jti)
  if (session !== undefined) session.state = { secret: xsrf }
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

/** How long a device waits between two questions, and how much longer after one too early (RFC 8628 §3.5). */
const INTERVAL_SECONDS = 5
const MOST_POLLS = 10_000

/** 20^8 codes, and this many tries of one address in a quarter of an hour: guessing one of a thousand live codes takes years. */
const CODES: Bucket = {
  delayMs: (failures) => (failures < 5 ? 0 : Math.min(250 * 2 ** (failures - 5), 4000)),
  places: (failures) => (failures < 50 ? 8 : 1),
}

interface Poll {
  readonly at: number
  readonly intervalMs: number
}

/** Tells devices how often to ask. */
export const tellInterval: Middleware = async (ctx, next) => {
  await next()
  if (ctx.status === 200) ctx.body = { ...(ctx.body as Record<string, unknown>), interval: INTERVAL_SECONDS }
}

/** Tells devices that ask more often than {@link tellInterval} says to slow down. */
export function slowPolls(): Middleware {
  const polls = new Map<string, Poll>()
  return async (ctx, next) => {
    await next()
    const body = ctx.body as Record<string, unknown> | undefined
    if (body?.error !== 'authorization_pending') return
    const code = issuerRequestOf(ctx.req).form.get('device_code') ?? ''
    const before = polls.get(code)
    const now = performance.now()
    // A second of grace: what clients wait, networks shorten.
    const early = before !== undefined && now - before.at < before.intervalMs - 1000
    const intervalMs = (before?.intervalMs ?? INTERVAL_SECONDS * 1000) + (early ? INTERVAL_SECONDS * 1000 : 0)
    polls.delete(code)
    polls.set(code, { at: now, intervalMs })
    if (polls.size > MOST_POLLS) for (const oldest of polls.keys()) if (polls.delete(oldest)) break
    if (early) {
      const seconds = intervalMs / 1000
      ctx.body = { error: 'slow_down', error_description: `ask again after ${seconds} seconds, not sooner` }
    }
  }
}

/** Slows those who try user codes that they were not given (RFC 8628 §5.1). */
export function userCodeTries(context: IssuerContext): Middleware {
  return async (ctx, next) => {
    const { form, address } = issuerRequestOf(ctx.req)
    if (ctx.method !== 'POST' || !form.has('user_code')) return next()
    const attempt = await context.buckets.enter(`user code ${addressGroup(address).wide}`, CODES)
    try {
      if (attempt.full) return showTooMany(context, ctx, form.get('user_code') ?? '')
      if (attempt.delayMs > 0) await delay(attempt.delayMs)
      await next()
      // Pages that are shown again with a problem; what leads on is a redirect.
      if (ctx.status === 400) await attempt.failed()
    } finally {
      attempt.leave()
    }
  }
}

function showTooMany(context: IssuerContext, ctx: Parameters<Middleware>[0], userCode: string): void {
  const page = deviceCodePage({
    site: siteOf(context),
    form: { action: '/oauth/device', hidden: {} },
    userCode,
    problem: 'There were too many tries. Wait a few minutes, then open this page again.',
  })
  showPage(ctx as never, 429, page)
}
