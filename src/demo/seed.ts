import { isDeepStrictEqual } from 'node:util'
import { hashClientSecret } from '../issuer/clients/client-secrets.ts'
import { addClient, type NewClient, readAllow } from '../issuer/clients/clients.ts'
import { createPasswords } from '../issuer/people/passwords.ts'
import { addUser } from '../issuer/people/people.ts'
import { StartFault } from '../server/start-fault.ts'
import type { ClientRecord, Store } from '../store/store.ts'
import type { DemoPlan } from './plan.ts'
import type { DemoSecrets } from './secrets.ts'

/** Who signs in: the password as it is printed; undefined: it was changed since, and nobody but its owner knows it. */
export interface DemoPerson {
  readonly username: 'alice' | 'bob'
  readonly groups: readonly string[]
  readonly password: string | undefined
}

const BY = 'cli'

const PEOPLE = [
  { username: 'alice', displayName: 'Alice', groups: ['photos', 'files', 'admins'] },
  { username: 'bob', displayName: 'Bob', groups: ['files'] },
] as const

/** Sample clients, one of each type. */
function demoClients({ origin, photos }: DemoPlan): readonly NewClient[] {
  const page = (name: string): string[] => [`${origin}/demo/${name}`]
  // For a web application that the newcomer runs; the demo's pages have no server of their own to keep a secret.
  const elsewhere = ['http://localhost:3000/callback']
  const first = { thirdParty: false, allow: [] }
  return [
    { ...first, id: 'photos-cli', type: 'native', name: 'Photos on the command line', redirectUris: [] },
    { ...first, id: 'album-web', type: 'web', name: 'Album', redirectUris: elsewhere },
    { ...first, id: 'gallery-spa', type: 'spa', name: 'Gallery', redirectUris: page('') },
    {
      id: 'print-shop',
      type: 'spa',
      name: 'Print shop',
      redirectUris: page('print-shop/'),
      thirdParty: true,
      allow: [],
    },
    {
      id: 'photo-backup',
      type: 'service',
      name: 'Nightly photo backup',
      redirectUris: [],
      thirdParty: false,
      allow: [`${photos.resource}=photos:read`],
    },
  ]
}

/**
 * Adds the sample people and clients that aren't there yet, and answers the people. Passwords and groups that were changed
 * since stay as they are; clients follow the file's addresses. Rejects with a StartFault.
 * @param now milliseconds.
 */
export async function seedDemo(
  store: Store,
  plan: DemoPlan,
  secrets: DemoSecrets,
  now: number,
): Promise<readonly DemoPerson[]> {
  for (const client of demoClients(plan)) await seedClient(store, client, plan, secrets, now)
  return Promise.all(PEOPLE.map((person) => seedPerson(store, person, secrets[person.username], now)))
}

async function seedPerson(
  store: Store,
  person: (typeof PEOPLE)[number],
  password: string,
  now: number,
): Promise<DemoPerson> {
  const { username, groups } = person
  const passwords = createPasswords()
  const there = await store.userByName(username)
  if (there !== undefined) {
    const right = (await passwords.verify(there.passwordHash, password)) !== 'wrong'
    return { username, groups: there.groups, password: right ? password : undefined }
  }
  const added = await addUser(store, { ...person, passwordHash: await passwords.hash(password) }, now)
  if (added.kind === 'invalid') throw new StartFault(`--demo: ${username}: ${added.problem}`)
  if (added.kind === 'added') {
    const { sub, createdAt } = added.user
    await store.audit('user.added', { sub, groups, by: BY }, createdAt)
  }
  return { username, groups, password }
}

async function seedClient(
  store: Store,
  client: NewClient,
  plan: DemoPlan,
  secrets: DemoSecrets,
  now: number,
): Promise<void> {
  const { id, type } = client
  const added = await addClient(store, client, plan.resources, now)
  if (added.kind === 'invalid') throw new StartFault(`--demo: client ${id}: ${added.problem}`)
  if (added.kind === 'added') await store.audit('client.added', { client: id, type, by: BY }, added.client.createdAt)
  const there = await store.client(id)
  // A client of that name but of another kind is somebody's own.
  if (there?.type !== type) return
  const wanted = brought(there, client, plan, secrets)
  if (!isDeepStrictEqual(there, wanted)) await store.putClient(wanted)
}

/** The client with the secret that the demo's file holds and the addresses that routes.yaml has now. */
function brought(
  there: ClientRecord,
  { redirectUris, allow }: NewClient,
  plan: DemoPlan,
  secrets: DemoSecrets,
): ClientRecord {
  const { id } = there
  const known = readAllow(allow, plan.resources)
  const secret = id === 'album-web' || id === 'photo-backup' ? secrets[id] : undefined
  const uris = [...new Set([...there.redirectUris, ...redirectUris])]
  return {
    ...there,
    redirectUris: uris,
    postLogoutRedirectUris: uris,
    allow: typeof known === 'string' ? there.allow : known,
    secretHash: secret === undefined ? undefined : hashClientSecret(secret),
  }
}
