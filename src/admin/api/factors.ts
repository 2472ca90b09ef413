import { z } from 'zod'
import type { UserRecord } from '../../store/store.ts'
import { whyOf } from '../caller.ts'
import type { AdminDependencies } from '../dependencies.ts'
import { conflict, notFound } from '../problem.ts'
import type { App } from './app.ts'
import { listOf, PAGE, pageOf, TIME, timeOf } from './page.ts'
import { personOf, SUB } from './person.ts'

/** What somebody signs in with, or shows beside that. */
export const FACTOR = z.object({
  id: z.string(),
  kind: z.enum(['password', 'passkey', 'authenticator', 'recovery_codes']),
  name: z.string().optional().describe('Of a passkey, as its person calls it.'),
  created_at: TIME.optional(),
  last_used_at: TIME.optional(),
  left: z.number().optional().describe('Recovery codes that are not used up.'),
})

/** The answer of a person's factors. */
export const FACTORS = listOf(FACTOR)

const STEP_SECONDS = 30

/** Operations on what people sign in with. */
export function addFactors(app: App, dependencies: AdminDependencies): void {
  const { store, issuer } = dependencies
  app.get(
    '/people/:sub/factors',
    {
      config: { access: { scope: 'r' } },
      schema: { params: SUB, querystring: z.strictObject(PAGE), response: { 200: FACTORS } },
    },
    async ({ params, query }) =>
      pageOf(await factorsOf(store, await personOf(store, params.sub)), ({ id }) => id, query),
  )
  app.delete(
    '/people/:sub/factors/:id',
    {
      config: { access: { scope: 'w', fresh: true, persons: true } },
      schema: { params: SUB.extend({ id: z.string().max(256) }), response: { 204: z.null() } },
    },
    async ({ params, caller }, reply) => {
      const user = await personOf(store, params.sub)
      switch (await issuer.removeFactor(user, params.id, whyOf(caller))) {
        case 'unknown':
          throw notFound('factor')
        case 'required':
        case 'last_sign_in':
          throw conflict('last_sign_in', 'nothing else would open the account; make a recovery link instead')
        case 'removed':
          return reply.code(204).send(null)
      }
    },
  )
}

/** In the order of what they open. */
export async function factorsOf(
  store: AdminDependencies['store'],
  { sub, passwordHash }: UserRecord,
): Promise<z.output<typeof FACTOR>[]> {
  const [passkeys, app, left] = await Promise.all([
    store.passkeys(sub),
    store.authenticator(sub),
    store.recoveryCodes(sub),
  ])
  const codes = { id: 'recovery_codes', kind: 'recovery_codes', left } as const
  return [
    ...(passwordHash === undefined ? [] : [{ id: 'password', kind: 'password' as const }]),
    ...passkeys.map(({ id, name, createdAt, lastUsedAt }) => ({
      ...{ id, kind: 'passkey' as const, name, created_at: timeOf(createdAt) },
      ...(lastUsedAt === undefined ? {} : { last_used_at: timeOf(lastUsedAt) }),
    })),
    ...(app === undefined ? [] : [appOf(app)]),
    ...(left === 0 ? [] : [codes]),
  ]
}

/** The step of a code says when it was used. */
function appOf({ createdAt, lastStep }: { readonly createdAt: number; readonly lastStep: number }) {
  const id = 'authenticator' as const
  return { id, kind: id, created_at: timeOf(createdAt), last_used_at: timeOf(lastStep * STEP_SECONDS) }
}
