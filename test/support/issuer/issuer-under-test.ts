import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Resource, ResourceIdentifier, Scope } from '../../../src/core/resource.ts'
import { addClient, type NewClient } from '../../../src/issuer/clients/clients.ts'
import { createIssuer } from '../../../src/issuer/create-issuer.ts'
import type { Issuer, IssuerEvent, IssuerSettings } from '../../../src/issuer/issuer.ts'
import { createPasswords } from '../../../src/issuer/people/passwords.ts'
import { addUser } from '../../../src/issuer/people/people.ts'
import { createRevocationActs, type RevocationActs } from '../../../src/issuer/revocation-acts.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import type { ClientRecord, Store, UserRecord } from '../../../src/store/store.ts'

export const PASSWORD = 'correct horse battery staple'

export interface IssuerUnderTest {
  readonly url: string
  /** Where the store's file is. */
  readonly folder: string
  readonly store: Store
  readonly acts: RevocationActs
  readonly events: IssuerEvent[]
  readonly photos: string
  readonly files: string
  readonly settings: () => IssuerSettings
  issuer(): Issuer
  addPerson(
    username: string,
    groups: readonly string[],
    more?: { readonly email?: string; readonly name?: string },
  ): Promise<UserRecord>
  addClient(
    client: Partial<NewClient> & Pick<NewClient, 'id' | 'type'>,
  ): Promise<{ client: ClientRecord; secret: string }>
  reconfigure(change: Partial<IssuerSettings>): Promise<void>
  /** Stops issuer and store, and starts both again on the same file and port. */
  restart(): Promise<void>
  close(): Promise<void>
}

interface IssuerOptions {
  readonly settings?: Partial<IssuerSettings>
  readonly registrationToken?: string
  readonly now?: () => number
  readonly fetchDocument?: (url: string) => Promise<Response>
  readonly masterKey?: Buffer
  /** Bytes that strangers of one address may fill. */
  readonly rowsPerGroup?: number
  /** Opens another store than a file. */
  readonly openStore?: () => Promise<Store>
  /** The host of its address; default 127.0.0.1, where browsers make no passkeys. */
  readonly host?: 'localhost'
  /** Answers what lies below `/public/` of the same origin, as an upstream would. */
  readonly upstream?: (path: string, response: ServerResponse) => void
}

/** The photo and file resources of the examples, below `origin`. */
function sampleResources(origin: string): readonly Resource[] {
  const resource = (path: string, name: string, plural: string, claims: readonly string[]): Resource => ({
    identifier: `${origin}/${path}` as ResourceIdentifier,
    name,
    scopes: new Map([
      [`${path}:read` as Scope, `See ${plural}`],
      [`${path}:write` as Scope, `Change ${plural}`],
    ]),
    grants: [
      { groups: [path], scopes: [`${path}:read` as Scope] },
      { groups: [`${path}-editors`], scopes: [`${path}:read` as Scope, `${path}:write` as Scope] },
    ],
    issuers: [origin],
    acceptAudiences: [],
    claims,
    sessionScopes: undefined,
    metadataUrl: `${origin}/.well-known/oauth-protected-resource/${path}`,
  })
  return [
    resource('photos', 'Photo library', 'photos', ['email', 'name']),
    resource('files', 'File store', 'files', []),
  ]
}

/** A real issuer on a real store in a temporary folder, behind a plain HTTP server on a free port. */
export async function startIssuer(options: IssuerOptions = {}): Promise<IssuerUnderTest> {
  const folder = await mkdtemp(join(tmpdir(), 'audgate-issuer-'))
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const url = `http://${options.host ?? '127.0.0.1'}:${port}`
  const now = options.now ?? Date.now
  const masterKey = options.masterKey ?? randomBytes(32)
  const passwordHash = await createPasswords().hash(PASSWORD)
  const events: IssuerEvent[] = []
  let settings: IssuerSettings = {
    identifier: url,
    origin: url,
    signingAlg: 'ES256',
    accessTokenTtlSeconds: 300,
    refreshTokenTtlSeconds: 30 * 86_400,
    refreshTokenMaxSeconds: 180 * 86_400,
    registration: 'off',
    clientMetadataDocuments: false,
    password: 'on',
    passwordMin: 15,
    authenticator: true,
    passkeys: true,
    secondFactor: 'optional',
    rememberBrowserSeconds: 0,
    sessions: { idle: 3 * 86_400, max: 30 * 86_400 },
    appPasswords: { max: 365 * 86_400, unused: 180 * 86_400 },
    appPasswordPlaces: new Map(),
    sessionOrigins: [],
    providers: [],
    adminGroups: ['admins'],
    resources: sampleResources(url),
    ...options.settings,
  }
  const open = async (): Promise<{ store: Store; issuer: Issuer }> => {
    const openFile = () => openSqliteStore(join(folder, 'audgate.db'), { now })
    const store = await (options.openStore ?? openFile)()
    const { registrationToken } = options
    const onEvent = (event: IssuerEvent): void => void events.push(event)
    const fetching = options.fetchDocument && { fetchDocument: options.fetchDocument }
    const rows = options.rowsPerGroup === undefined ? {} : { rowsPerGroup: options.rowsPerGroup }
    const dependencies = { store, masterKey, registrationToken, now, onEvent, ...fetching, ...rows }
    return { store, issuer: await createIssuer(settings, dependencies) }
  }
  let running = await open()
  server.on('request', (request, response) => {
    const { url: target = '' } = request
    if (options.upstream !== undefined && target.startsWith('/public/')) return options.upstream(target, response)
    running.issuer.handle(request, response, request.socket.remoteAddress ?? '')
  })
  return {
    url,
    folder,
    get store() {
      return running.store
    },
    get acts() {
      return createRevocationActs({ store: running.store, now })
    },
    events,
    photos: `${url}/photos`,
    files: `${url}/files`,
    settings: () => settings,
    issuer: () => running.issuer,
    addPerson: async (username, groups, more = {}) => {
      const { email, name: displayName } = more
      const added = await addUser(running.store, { username, groups, passwordHash, email, displayName }, now())
      if (added.kind !== 'added') throw new Error(`${username}: ${added.kind}`)
      return added.user
    },
    addClient: async (client) => {
      const defaults = { redirectUris: [], thirdParty: false, allow: [] }
      const added = await addClient(running.store, { ...defaults, ...client }, settings.resources, now())
      if (added.kind !== 'added') throw new Error(`${client.id}: ${JSON.stringify(added)}`)
      return { client: added.client, secret: added.secret ?? '' }
    },
    reconfigure: async (change) => {
      settings = { ...settings, ...change }
      await running.issuer.reconfigure(settings)
    },
    restart: async () => {
      await running.issuer.close()
      await running.store.close()
      running = await open()
    },
    close: async () => {
      await stop(server)
      try {
        await running.issuer.close()
        await running.store.close()
      } finally {
        await rm(folder, { recursive: true, force: true })
      }
    },
  }
}

async function stop(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeAllConnections()
  await closed
}
