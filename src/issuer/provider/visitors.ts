import Provider, { type Adapter, errors } from 'oidc-provider'
import type { IssuerContext } from '../context.ts'
import { guardValue, sessionFormSecret } from '../http/form-guard.ts'
import { issuerRequestOf } from '../http/request.ts'
import { noteSession } from '../tokens/session-facts.ts'

/** As the library makes them; no other id was ever given to a browser. */
const SESSION_ID = /^[\w-]{16,64}$/

/**
 * Sessions of visitors without an account take no row: all that one holds is made anew from its id, which comes back in a
 * signed cookie.
 */
export function visitorSessions(sessions: Adapter, context: IssuerContext, idleSeconds: number): Adapter {
  return {
    ...sessions,
    upsert: async (id, payload, expiresIn) => {
      if (payload.accountId === undefined) return
      await sessions.upsert(id, payload, expiresIn)
      const { uid, accountId: sub, loginTs } = payload
      const ctx = Provider.ctx
      if (ctx === undefined || uid === undefined) return
      const facts = { uid, sub, signedInAt: loginTs ?? 0, seconds: expiresIn ?? idleSeconds }
      if (!(await noteSession(context, ctx.req, facts))) await sessions.destroy(id)
    },
    find: async (id) => {
      const kept = await sessions.find(id)
      if (kept !== undefined || !SESSION_ID.test(id)) return kept
      const now = Math.floor(context.now() / 1000)
      const secret = sessionFormSecret(context.masterKey, id)
      const uid = guardValue(context.masterKey, `visitor ${id}`).slice(0, 21)
      return { kind: 'Session', jti: id, uid, iat: now, exp: now + idleSeconds, state: { secret } }
    },
  }
}

/** Models whose rows a stranger can have written by a request. */
const STRANGERS: ReadonlySet<string> = new Set([
  'Interaction',
  'PushedAuthorizationRequest',
  'DeviceCode',
  'ReplayDetection',
])

/** Lets rows that strangers cause be written as long as their budget lasts; then the request is refused for a while. */
export function budgeted(adapter: Adapter, model: string, { rowBudget }: IssuerContext): Adapter {
  if (!STRANGERS.has(model)) return adapter
  return {
    ...adapter,
    upsert: async (id, payload, expiresIn) => {
      const ctx = Provider.ctx
      const person = (payload.session as { accountId?: unknown } | undefined)?.accountId ?? payload.accountId
      if (ctx !== undefined && person === undefined) {
        const { address } = issuerRequestOf(ctx.req)
        // What was used once stays used, whoever fills the rest.
        const drop = model === 'ReplayDetection' ? undefined : () => dropUnlessOwned(adapter, id)
        if (!(await rowBudget.spend(address, JSON.stringify(payload).length, drop))) throw tooMuch(ctx)
      }
      await adapter.upsert(id, payload, expiresIn)
    },
  }
}

/** Somebody may have signed in, or said yes, since. */
async function dropUnlessOwned(adapter: Adapter, id: string): Promise<void> {
  const kept = await adapter.find(id)
  if (kept === undefined || kept === null || kept.accountId !== undefined) return
  const { result, lastSubmission, session } = kept
  if ((result?.login ?? lastSubmission?.login ?? session?.accountId) === undefined) await adapter.destroy(id)
}

function tooMuch(ctx: { set(name: string, value: string): void }): errors.OIDCProviderError {
  ctx.set('retry-after', '900')
  const error = new errors.TemporarilyUnavailable('too many requests from this address; try again later')
  return Object.assign(error, { statusCode: 429, status: 429 })
}
