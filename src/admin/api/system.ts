import { z } from 'zod'
import type { InstanceRecord, SigningKeyRecord } from '../../store/store.ts'
import { whyOf } from '../caller.ts'
import type { AdminDependencies } from '../dependencies.ts'
import { conflict } from '../problem.ts'
import type { App } from './app.ts'
import { listOf, PAGE, pageOf, TIME, timeOf } from './page.ts'

/** Heard of this recently, an instance is taken to be there. */
const CURRENT_MS = 10_000

const KEY = z.object({
  kid: z.string(),
  alg: z.string(),
  state: z.enum(['pending', 'active', 'retiring']),
  since: TIME,
  until: TIME.optional().describe('When a retiring one is dropped.'),
})

/** The answer of /keys. */
export const KEYS = listOf(KEY)

/** The answer of /system. */
export const SYSTEM = z.object({
  version: z.string(),
  started_at: TIME,
  uptime_seconds: z.number(),
  workers: z.number(),
  instances: z.number(),
  config: z.object({
    file: z.string(),
    digest: z.string(),
    since: TIME,
    last_refused: z.object({ at: TIME, problems: z.array(z.string()) }).optional(),
    restart_for: z.array(z.string()),
  }),
  store: z.object({ kind: z.string(), fault: z.string().optional() }),
  feed: z.object({ followers: z.number() }),
})

/** The process, its file and its keys. */
export function addSystem(app: App, { store, issuer, system, now }: AdminDependencies): void {
  app.get('/system', { config: { access: { scope: 'r' } }, schema: { response: { 200: SYSTEM } } }, async () => {
    const { startedAt, config, store: state, ...facts } = system()
    const { lastRefused, restartFor, since, ...file } = config
    const refused = lastRefused && { at: timeOf(lastRefused.at / 1_000), problems: [...lastRefused.problems] }
    return {
      ...facts,
      started_at: timeOf(startedAt / 1_000),
      uptime_seconds: Math.max(0, Math.floor((now() - startedAt) / 1_000)),
      instances: Math.max(1, (await store.instances()).filter(isHere).length),
      config: {
        ...file,
        since: timeOf(since / 1_000),
        ...(refused === undefined ? {} : { last_refused: refused }),
        restart_for: [...restartFor],
      },
      store: { kind: state.kind, ...(state.fault === undefined ? {} : { fault: state.fault }) },
    }
  })
  app.get(
    '/keys',
    {
      config: { access: { scope: 'r' } },
      schema: { querystring: z.strictObject(PAGE), response: { 200: KEYS } },
    },
    async ({ query }) => {
      const { items, ...rest } = pageOf(await store.signingKeys(), ({ kid }) => kid, query)
      return { items: items.map(shownKey), ...rest }
    },
  )
  app.post(
    '/keys/rotate',
    {
      config: { access: { scope: 'w', fresh: true, persons: true } },
      schema: { body: z.strictObject({}).nullish(), response: { 201: KEY } },
    },
    async (request, reply) => {
      const key = await issuer.rotateKeys(whyOf(request.caller))
      if (key === undefined) throw conflict('pending_key', 'a new key is published already and begins to sign soon')
      return reply.code(201).send(shownKey(key))
    },
  )
}

/** A process that was killed leaves its line behind. */
function isHere({ silentMs }: InstanceRecord): boolean {
  return silentMs <= CURRENT_MS
}

function shownKey({ kid, alg, state, activateAt, retireAt }: SigningKeyRecord): z.output<typeof KEY> {
  return { kid, alg, state, since: timeOf(activateAt), ...(retireAt === undefined ? {} : { until: timeOf(retireAt) }) }
}
