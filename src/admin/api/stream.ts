import type { ServerResponse } from 'node:http'
import { z } from 'zod'
import { actorOf, type Caller } from '../caller.ts'
import type { Listener, Told } from '../decisions/book.ts'
import type { AdminDependencies } from '../dependencies.ts'
import { Problem } from '../problem.ts'
import type { App } from './app.ts'
import { FILTER, filterOf, shownDecision } from './decisions.ts'

const COMMENT_MS = 15_000
/** How often it is looked whether the token still counts. */
const LOOK_MS = 500
const BATCH = 100

/** Decisions as they are made (server-sent events): `decision`, `gap`, `end`. */
export function addStream(app: App, dependencies: AdminDependencies): void {
  app.get(
    '/decisions/stream',
    {
      exposeHeadRoute: false,
      config: { access: { scope: 'r' } },
      schema: { querystring: z.strictObject(FILTER), response: { 200: z.string() } },
    },
    async ({ query, caller, headers }, reply) => {
      const wake: { call: () => void } = { call: () => undefined }
      const listener = dependencies.decisions.listen({
        by: actorOf(caller),
        filter: await filterOf(dependencies, query),
        after: lastOf(headers['last-event-id']),
        wake: () => wake.call(),
      })
      if (listener === undefined) {
        const headers = { 'Retry-After': '30' }
        throw new Problem(429, 'too_many', 'enough are listening already: ten in all, two of one caller', { headers })
      }
      reply.hijack()
      // Gone while its filter was read: nobody would ever close the listener.
      if (reply.raw.closed || reply.raw.destroyed) return listener.close()
      serve(reply.raw, listener, caller, dependencies, wake)
    },
  )
}

function serve(
  response: ServerResponse,
  listener: Listener,
  caller: Caller,
  { isRevoked, isClosing, now }: AdminDependencies,
  wake: { call: () => void },
): void {
  response.writeHead(200, {
    'Content-Type': 'text/event-stream',
    'Cache-Control': 'no-store',
    'X-Accel-Buffering': 'no',
    'X-Content-Type-Options': 'nosniff',
    'X-Request-Id': caller.requestId,
  })
  response.write(': listening\n\n')
  const state = { full: false, spokenAt: now() }
  const pump = (): void => {
    while (!state.full) {
      const told = listener.take(BATCH)
      if (told.length === 0) return
      state.spokenAt = now()
      state.full = !response.write(told.map(eventText).join(''))
    }
  }
  wake.call = pump
  response.on('drain', () => {
    state.full = false
    pump()
  })
  const timer = setInterval(() => {
    const over = isClosing() ? 'closing' : whyOver(caller, isRevoked, now())
    if (over !== undefined) return void response.end(`event: end\ndata: ${JSON.stringify({ why: over })}\n\n`)
    if (now() - state.spokenAt < COMMENT_MS || state.full) return
    state.spokenAt = now()
    response.write(': here\n\n')
  }, LOOK_MS)
  response.once('close', () => {
    clearInterval(timer)
    listener.close()
  })
  pump()
}

function whyOver({ token }: Caller, isRevoked: AdminDependencies['isRevoked'], now: number): string | undefined {
  if (isRevoked(token)) return 'revoked'
  return now / 1_000 >= token.expiresAt ? 'expired' : undefined
}

function eventText(told: Told): string {
  if (told.kind === 'gap') return `event: gap\ndata: ${JSON.stringify({ missed: told.missed })}\n\n`
  const { number, decision } = told.decision
  return `event: decision\nid: ${number}\ndata: ${JSON.stringify(shownDecision(decision))}\n\n`
}

function lastOf(id: string | string[] | undefined): number | undefined {
  return typeof id === 'string' && /^\d{1,15}$/.test(id) ? Number(id) : undefined
}
