import { setTimeout as delay } from 'node:timers/promises'
import { incomingOf } from './incoming.ts'
import { type IssuerContext, siteOf } from './issuer-context.ts'
import { showPage } from './library-pages.ts'
import { deviceCodePage } from './pages/device.ts'
import type { Bucket } from './throttle-buckets.ts'
import type { Middleware } from './token-endpoint.ts'

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

/** Tells devices how often to ask, and those that ask more often to slow down. */
export function devicePolls(): Middleware {
  const polls = new Map<string, Poll>()
  return async (ctx, next) => {
    await next()
    const body = ctx.body as Record<string, unknown> | undefined
    if (ctx.path === '/oauth/device_authorization' && ctx.status === 200) {
      ctx.body = { ...body, interval: INTERVAL_SECONDS }
    }
    if (ctx.path !== '/oauth/token' || body?.error !== 'authorization_pending') return
    const code = incomingOf(ctx.req).form.get('device_code') ?? ''
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
    const { form, address } = incomingOf(ctx.req)
    if (ctx.path !== '/oauth/device' || ctx.method !== 'POST' || !form.has('user_code')) return next()
    const turn = await context.buckets.enter(`user code ${address}`, CODES)
    try {
      if (turn.full) return showTooMany(context, ctx, form.get('user_code') ?? '')
      if (turn.delayMs > 0) await delay(turn.delayMs)
      await next()
      // Pages that are shown again with a problem; what leads on is a redirect.
      if (ctx.status === 400) await turn.failed()
    } finally {
      turn.leave()
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
