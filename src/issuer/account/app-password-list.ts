import { grantableScopes } from '../../core/resource.ts'
import { resourceById } from '../context.ts'
import type { AppPasswordChoice, PageAppPassword } from '../pages/app-passwords.ts'
import { endOfAppPassword } from '../people/app-passwords.ts'
import { accountForm, type SignedInRequest } from './request.ts'

/** A person's app passwords, and the services that they may make one for: those that take some. */
export async function appPasswordsOf(
  call: SignedInRequest,
): Promise<
  { readonly passwords: readonly PageAppPassword[]; readonly choices: readonly AppPasswordChoice[] } | undefined
> {
  const { context, session } = call
  const { resources, appPasswords, appPasswordPlaces } = context.settings()
  const records = await context.store.appPasswords({ sub: session.user.sub })
  const choices = resources.flatMap((resource): AppPasswordChoice[] => {
    const may = grantableScopes(resource, session.user.groups)
    if (!appPasswordPlaces.has(resource.identifier) || may.length === 0) return []
    const { identifier, name } = resource
    const scopes = may.map((scope) => ({ scope, description: resource.scopes.get(scope) ?? '' }))
    return [{ identifier, name, scopes, make: accountForm(call, 'app-password', { resource: identifier }) }]
  })
  if (records.length + choices.length === 0) return undefined
  const passwords = records.map((record) => ({
    name: record.name,
    resource: resourceById(resources, record.resource)?.name ?? record.resource,
    scopes: record.scopes,
    since: record.createdAt,
    lastUsed: record.lastUsedAt,
    ends: endOfAppPassword(record, appPasswords),
    revoke: accountForm(call, 'revoke-app-password', { id: record.id }),
  }))
  return { passwords, choices }
}
