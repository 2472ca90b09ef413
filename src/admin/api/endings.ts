import { z } from 'zod'
import { whyOf } from '../caller.ts'
import type { AdminDependencies } from '../dependencies.ts'
import { invalid, notFound } from '../problem.ts'
import type { App } from './app.ts'
import { CHECK } from './decisions.ts'
import { storable } from './page.ts'

const LARGEST_QUESTION = 16 * 1024
const TOKEN = z.string().min(1).max(LARGEST_QUESTION)
const ENDED = z.object({ ended: z.boolean() })

const EXPLAIN = z.strictObject({
  token: TOKEN,
  request: z.strictObject({ method: z.string().max(32), url: z.string().max(8_192) }).optional(),
})
const EXPLAINED = z.object({
  good: z.boolean(),
  reason: z.string().optional(),
  detail: z.string().optional(),
  claims: z.record(z.string(), z.unknown()).optional(),
  decision: z
    .object({ checks: z.array(CHECK), outcome: z.enum(['ok', 'refused']), reason: z.string().optional() })
    .nullable(),
})

/** Ends authorizations and tokens, and says what a token is good for. */
export function addEndings(app: App, dependencies: AdminDependencies): void {
  const { store, issuer, judge, now } = dependencies
  app.delete(
    '/authorizations/:gid',
    {
      config: { access: { scope: 'w' } },
      schema: { params: z.strictObject({ gid: z.string().max(256) }), response: { 200: ENDED } },
    },
    async ({ params, caller }) => {
      const [authorization] = await store.authorizations({ gid: params.gid })
      if (authorization === undefined || authorization.ended) throw notFound('authorization')
      const why = whyOf(caller)
      const { sub, clientId: client } = authorization
      await issuer.acts(why).revokeAuthorization(params.gid, why.by, { sub, client })
      return { ended: true }
    },
  )
  app.post(
    '/tokens/revoke',
    {
      config: { access: { scope: 'w' } },
      schema: {
        body: z.union(
          [
            z.strictObject({ token: TOKEN }),
            z.strictObject({ jti: storable(256).min(1), expires_at: z.iso.datetime({ offset: true }).optional() }),
          ],
          'send `token`, or `jti` with or without `expires_at`',
        ),
        response: { 200: ENDED },
      },
    },
    async ({ body, caller }) => {
      const named =
        'token' in body
          ? await jtiOf(dependencies, body.token)
          : { jti: body.jti, exp: expiryOf(body.expires_at), whose: {} }
      if (named.exp !== undefined && named.exp <= now() / 1_000)
        throw invalid('expires_at', 'is over: leave it out where it is not known')
      const why = whyOf(caller)
      await issuer.acts(why).revokeJti(named.jti, named.exp, why.by, named.whose)
      return { ended: true }
    },
  )
  app.post(
    '/tokens/explain',
    {
      config: { access: { scope: 'r' } },
      bodyLimit: LARGEST_QUESTION,
      schema: { body: EXPLAIN, response: { 200: EXPLAINED } },
    },
    async ({ body: { token, request }, caller }) => {
      const seconds = now() / 1_000
      const evidence = await judge.verify(token, seconds)
      const judged =
        request === undefined ? undefined : await judge.judge({ ...request, address: undefined }, evidence, seconds)
      if (request !== undefined && judged === undefined) throw invalid('request', 'is no method and URL')
      await issuer.record('token.explained', { good: evidence.kind === 'verified' }, whyOf(caller))
      const decision =
        judged === undefined
          ? null
          : {
              checks: [...judged.checks],
              outcome: judged.outcome,
              ...(judged.reason === undefined ? {} : { reason: judged.reason }),
            }
      if (evidence.kind === 'verified') return { good: true, claims: { ...evidence.token.claims }, decision }
      const detail = evidence.kind === 'none' ? 'no token' : evidence.detail
      return { good: false, reason: evidence.kind === 'rejected' ? evidence.fault : evidence.kind, detail, decision }
    },
  )
}

async function jtiOf(
  { judge, now }: AdminDependencies,
  token: string,
): Promise<{
  readonly jti: string
  readonly exp: number | undefined
  readonly whose: { readonly sub?: string; readonly client: string }
}> {
  const evidence = await judge.verify(token, now() / 1_000)
  if (evidence.kind !== 'verified' || !evidence.token.embedded || evidence.token.jti === undefined)
    throw invalid('token', 'is no live token of this issuer')
  const { jti, expiresAt: exp, username, subject, clientId: client } = evidence.token
  return { jti, exp, whose: { ...(username === undefined ? {} : { sub: subject }), client } }
}

function expiryOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Date.parse(text) / 1_000
}
