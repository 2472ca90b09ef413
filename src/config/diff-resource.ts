import type { Grant, Resource } from '../core/resource.ts'
import { changedNames, listed, matchById } from './difference.ts'

const KEYS: Readonly<Record<'name' | 'claims' | 'grants' | 'scopes', string>> = {
  name: 'name',
  claims: 'claims',
  grants: 'grants',
  scopes: 'scopes',
}

/** What differs between the resources of two files, a sentence each; what is narrowed ends live tokens, so it is told apart. */
export function describeResourceChanges(before: readonly Resource[], after: readonly Resource[]): string[] {
  const { added, removed, kept } = matchById(before, after, ({ identifier }) => identifier)
  return [
    ...removed.map(({ identifier }) => `resource ${identifier}: removed`),
    ...added.map(({ identifier }) => `resource ${identifier}: added`),
    ...kept.flatMap(([old, now]) => changesOf(old, now).map((change) => `resource ${now.identifier}: ${change}`)),
  ]
}

function changesOf(before: Resource, after: Resource): string[] {
  const told = [
    ...memberChanges('scopes', [...before.scopes.keys()], [...after.scopes.keys()]),
    ...memberChanges('grants', before.grants.flatMap(grantPairs), after.grants.flatMap(grantPairs)),
    ...memberChanges('issuers', before.issuers, after.issuers),
    ...memberChanges('accept_audiences', before.acceptAudiences, after.acceptAudiences),
  ]
  // A description or an order differs without anybody having more or less than before.
  const quiet = changedNames(before, after, KEYS).filter((name) => !told.some((change) => change.startsWith(name)))
  return quiet.length === 0 ? told : [...told, `changed ${listed(quiet)}`]
}

function memberChanges(name: string, before: readonly string[], after: readonly string[]): string[] {
  const gone = [...new Set(before.filter((member) => !after.includes(member)))]
  const come = [...new Set(after.filter((member) => !before.includes(member)))]
  return [
    ...(gone.length === 0 ? [] : [`${name} narrowed, without ${listed(gone)}`]),
    ...(come.length === 0 ? [] : [`${name} widened by ${listed(come)}`]),
  ]
}

function grantPairs(grant: Grant): string[] {
  return grant.groups.flatMap((group) => grant.scopes.map((scope) => `${scope} for ${group}`))
}
