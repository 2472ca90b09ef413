import type { Config, EmbeddedIssuer } from '../config/config.ts'
import { reservedClient } from '../issuer/clients/reserved.ts'
import { createRevocationActs, type RevocationActs } from '../issuer/revocation-acts.ts'
import { openStore } from '../server/open-store.ts'
import { type ClientRecord, type Store, StoreError, type UserRecord } from '../store/store.ts'
import { fail, readConfigOrExit } from './output.ts'

/** Who acted, in the audit lines of commands. */
export const BY = 'cli'

export interface OpenStore {
  readonly config: Config
  readonly issuer: EmbeddedIssuer
  readonly store: Store
  readonly acts: RevocationActs
}

/**
 * Does `work` on the store that the file names, whether a server runs on it or not, and closes it. A bad file ends the
 * command with 2, a fault of the store with 1.
 * @param create whether a store that isn't there yet is made.
 */
export async function withStore<T>(file: string, create: boolean, work: (opened: OpenStore) => Promise<T>): Promise<T> {
  const config = readConfigOrExit(file)
  const issuer = issuerOrExit(file, config)
  try {
    const store = await openStore(config, { create, origin: 'command' })
    try {
      return await work({ config, issuer, store, acts: createRevocationActs({ store, now: Date.now }) })
    } finally {
      await store.close()
    }
  } catch (error) {
    if (error instanceof StoreError) return fail(`${error.message}: ${error.hint}`, 1)
    throw error
  }
}

/** The issuer whose store the file names; a file without one ends the command. */
export function issuerOrExit(file: string, { issuer }: Config): EmbeddedIssuer {
  return issuer.kind === 'embedded' ? issuer : fail(elsewhere(file, issuer.kind), 2)
}

/** The person of that name; nobody of that name ends the command. */
export async function userOrExit(store: Store, username: string): Promise<UserRecord> {
  const user = await store.userByName(username)
  return user ?? fail(`no user ${JSON.stringify(username)}: \`audgate user list\` shows them all`, 1)
}

/** The client of that id; none ends the command. */
export async function clientOrExit(store: Store, id: string): Promise<ClientRecord> {
  const client = reservedClient(id) ?? (await store.client(id))
  return client ?? fail(`no client ${JSON.stringify(id)}: \`audgate client list\` shows them all`, 1)
}

/** A time for people: to the second, UTC. @param seconds NumericDate. */
export function when(seconds: number): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 19).replace('T', ' ')} UTC`
}

function elsewhere(file: string, kind: 'upstream' | 'off'): string {
  if (kind === 'off') return `${file} has no issuer (\`issuer: false\`): accounts, clients and keys are kept elsewhere`
  return `${file} follows another audgate (\`issuer: { upstream }\`): run this command there`
}
