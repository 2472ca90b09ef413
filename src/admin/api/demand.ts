import { type Level, reaches } from '../../core/levels.ts'
import { type Caller, isFresh, isPerson } from '../caller.ts'
import type { AdminDependencies } from '../dependencies.ts'
import { Problem } from '../problem.ts'

/** What an operation asks of its caller, beyond a token that was judged. */
export interface Access {
  readonly scope: 'r' | 'w'
  /** A fresh sign-in. */
  readonly fresh?: true
  /** No service client. */
  readonly persons?: true
}

type Context = Pick<AdminDependencies, 'view' | 'now' | 'issuer'>

/** Throws the problem where the caller isn't who the operation is for. */
export async function demand(caller: Caller, access: Access | undefined, context: Context): Promise<void> {
  if (access === undefined) return
  const scope = access.scope === 'r' ? 'admin:read' : 'admin:write'
  if (!caller.token.scope.has(scope)) throw new Problem(403, 'insufficient_scope', `this needs the scope ${scope}`)
  if (access.persons === true) demandPerson(caller)
  if (access.fresh === true) await demandFresh(caller, context)
}

export function demandPerson(caller: Caller): void {
  if (isPerson(caller)) return
  throw new Problem(403, 'persons_only', 'only a person may do this: sign in as one')
}

/** A challenge as in RFC 9470. Whoever has a better factor must have used it. */
export async function demandFresh(caller: Caller, { view, now, issuer }: Context): Promise<void> {
  const { require: fewest, freshSeconds, resource } = view()
  const best = isPerson(caller) ? await issuer.bestLevel(caller.token.subject) : fewest
  const least = reaches(best, fewest) ? best : fewest
  if (isFresh(caller, least, freshSeconds, now() / 1_000)) return
  const text = `sign in again${WAYS[least]}: this needs a sign-in of the last ${freshSeconds} s`
  const parameters = [
    `resource_metadata="${resource.metadataUrl}"`,
    'error="insufficient_user_authentication"',
    `error_description="${text}"`,
    ...(least === 'pwd' ? [] : [`acr_values="${least}"`]),
    `max_age=${freshSeconds}`,
  ]
  throw new Problem(401, 'insufficient_authentication', text, {
    headers: { 'WWW-Authenticate': `Bearer ${parameters.join(', ')}` },
    members: { max_age: freshSeconds, acr_values: least },
  })
}

const WAYS: Readonly<Record<Level, string>> = { pwd: '', mfa: ' with a second factor', phr: ' with a passkey' }
