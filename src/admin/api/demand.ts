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

type Context = Pick<AdminDependencies, 'view' | 'now'>

/** Throws the problem where the caller isn't who the operation is for. */
export function demand(caller: Caller, access: Access | undefined, context: Context): void {
  if (access === undefined) return
  const scope = access.scope === 'r' ? 'admin:read' : 'admin:write'
  if (!caller.token.scope.has(scope)) throw new Problem(403, 'insufficient_scope', `this needs the scope ${scope}`)
  if (access.persons === true) demandPerson(caller)
  if (access.fresh === true) demandFresh(caller, context)
}

export function demandPerson(caller: Caller): void {
  if (isPerson(caller)) return
  throw new Problem(403, 'persons_only', 'only a person may do this: sign in as one')
}

/** A challenge as in RFC 9470. */
export function demandFresh(caller: Caller, { view, now }: Context): void {
  const { require: least, freshSeconds, resource } = view()
  if (isFresh(caller, least, freshSeconds, now() / 1_000)) return
  const text = `sign in again: this needs a sign-in of the last ${freshSeconds} s`
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
