import type { AuthorizationRecord, ConsentRecord } from '../../store/store.ts'

/** Scopes of one resource that an app has, since when. */
export interface ConnectedResource {
  /** '' holds the OpenID scopes. */
  readonly identifier: string
  readonly scopes: readonly string[]
  /** NumericDate, seconds. */
  readonly since: number
}

/** All that one client holds of one person. */
export interface Connection {
  readonly clientId: string
  /** By resource, the oldest first. */
  readonly resources: readonly ConnectedResource[]
  /** Those that stand, the newest first. */
  readonly devices: readonly AuthorizationRecord[]
  /** NumericDate, seconds; undefined: never used. */
  readonly lastUsedAt: number | undefined
  /** The person was asked; false for clients that the operator answers for. */
  readonly consented: boolean
}

/**
 * What is connected to a person, by client, the one used last first: from consents, and from authorizations, since clients that
 * nobody is asked about have no consent and can act all the same. A consent in which everything was left out connects nothing.
 */
export function connectionsOf(
  consents: readonly ConsentRecord[],
  authorizations: readonly AuthorizationRecord[],
): readonly Connection[] {
  const given = consents.filter(({ granted }) => granted.length > 0)
  const standing = authorizations.filter(({ ended }) => !ended).sort((a, b) => b.createdAt - a.createdAt)
  const clients = new Set([...standing, ...given].map(({ clientId }) => clientId))
  return [...clients]
    .map((clientId) => connection(clientId, given.filter(of(clientId)), standing.filter(of(clientId))))
    .sort((a, b) => lastSign(b) - lastSign(a))
}

function connection(
  clientId: string,
  consents: readonly ConsentRecord[],
  devices: readonly AuthorizationRecord[],
): Connection {
  const used = devices.flatMap(({ lastUsedAt }) => lastUsedAt ?? [])
  return {
    clientId,
    resources: resourcesOf(consents, devices),
    devices,
    lastUsedAt: used.length === 0 ? undefined : Math.max(...used),
    consented: consents.length > 0,
  }
}

function resourcesOf(
  consents: readonly ConsentRecord[],
  devices: readonly AuthorizationRecord[],
): readonly ConnectedResource[] {
  const found = new Map<string, { scopes: Set<string>; since: number }>()
  const add = (identifier: string, scopes: readonly string[], since: number): void => {
    const known = found.get(identifier) ?? { scopes: new Set(), since }
    for (const scope of scopes) known.scopes.add(scope)
    found.set(identifier, { scopes: known.scopes, since: Math.min(known.since, since) })
  }
  for (const { resource, granted, since } of consents) add(resource, granted, since)
  for (const { resources, createdAt } of devices) {
    for (const [identifier, scopes] of Object.entries(resources)) add(identifier, scopes, createdAt)
  }
  return [...found]
    .map(([identifier, { scopes, since }]) => ({ identifier, scopes: [...scopes], since }))
    .filter(({ scopes }) => scopes.length > 0)
    .sort((a, b) => a.since - b.since)
}

function lastSign({ lastUsedAt, resources, devices }: Connection): number {
  return Math.max(lastUsedAt ?? 0, ...resources.map(({ since }) => since), ...devices.map(({ createdAt }) => createdAt))
}

function of(clientId: string): (record: { readonly clientId: string }) => boolean {
  return (record) => record.clientId === clientId
}
