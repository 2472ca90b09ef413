import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createPasswords } from '../../src/issuer/people/passwords.ts'
import type { Store } from '../../src/store/store.ts'
import { aClient, aUser } from '../contract/store-records.ts'
import { startGateway, type TestGateway } from './gateway-under-test.ts'
import { Person, redeem } from './issuer/browser-less-person.ts'
import { PASSWORD } from './issuer/issuer-under-test.ts'
import { CALLBACK, type Called, callUrl } from './issuer/served-issuer.ts'
import { freePorts } from './programs/free-ports.ts'

/** A gateway in this process, with its issuer and the operator's API; alice is an administrator, bob is not. */
export interface AdminGateway {
  readonly gateway: TestGateway
  readonly url: string
  readonly store: Store
  /** The resource of the API. */
  readonly resource: string
  /** Adds a person with {@link PASSWORD}; undefined groups: none. */
  addPerson(username: string, groups?: readonly string[]): Promise<string>
  /** An access token of this person for the client `cli`; by default one for the API with both scopes. */
  signIn(username: string, scope?: string, resource?: string): Promise<string>
  /** One call of the API. A body goes as JSON. */
  call(
    token: string | undefined,
    path: string,
    method?: string,
    body?: object,
    headers?: Readonly<Record<string, string | null>>,
  ): Promise<Called>
  close(): Promise<void>
}

interface AdminGatewayOptions {
  /** Of `public_url`. */
  readonly host?: string
  /** Further lines at the top of the file. */
  readonly settings?: string
  /** Further lines of the photos route, and its rules. */
  readonly route?: string
  readonly rules?: string
}

/** The file of {@link startAdminGateway}. */
function adminYaml(
  port: number,
  upstream: string,
  { host = '127.0.0.1', settings = '', route = '', rules }: AdminGatewayOptions,
) {
  const url = `http://${host}:${port}`
  const given =
    rules ?? '{ methods: [read], scopes: ["photos:read"] }\n      - { methods: [write], scopes: ["photos:write"] }'
  return `
public_url: ${url}
listen: 127.0.0.1:${port}
issuer: { access_token_ttl: 30m }
${settings}
resources:
  - id: ${url}/photos
    name: Photos
    scopes: { "photos:read": See photos, "photos:write": Change photos }
    grants:
      - { groups: [photos, editors], scopes: ["photos:read"] }
      - { groups: [editors], scopes: ["photos:write"] }
  - id: ${url}/files
    name: Files
    scopes: { "files:read": See files, "files:write": Change files }
    grants: [{ groups: [files], scopes: ["files:read", "files:write"] }]
routes:
  - id: photos
    path: /photos
    resource: ${url}/photos
    upstream: ${upstream}
    rules:
      - ${given}
${route}
  - id: files
    path: /files
    resource: ${url}/files
    upstream: ${upstream}
    rules:
      - { methods: [read], scopes: ["files:read"] }
      - { methods: [PUT], paths: [/inbox/**], scopes: ["files:write"] }
`
}

export async function startAdminGateway(options: AdminGatewayOptions = {}): Promise<AdminGateway> {
  const upstream = createServer((request, response) => request.resume().on('end', () => response.end('ok')))
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  const [port = 0] = await freePorts(1)
  const upstreamUrl = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`
  const gateway = await startGateway({ yaml: adminYaml(port, upstreamUrl, options), now: () => Date.now() })
  const { store } = gateway.server
  if (store === undefined) throw new Error('no issuer')
  const url = `http://${options.host ?? '127.0.0.1'}:${port}`
  const passwordHash = await createPasswords().hash(PASSWORD)
  const resource = `${url}/admin/api`
  const addPerson = async (username: string, groups: readonly string[] = []): Promise<string> => {
    const sub = `usr_${username}`
    await store.addUser(aUser({ sub, username, groups, passwordHash, displayName: undefined, email: undefined }))
    return sub
  }
  await addPerson('alice', ['admins'])
  await addPerson('bob', ['photos'])
  await store.addClient(aClient({ id: 'cli', type: 'native', redirectUris: [CALLBACK], thirdParty: false }))
  return {
    gateway,
    url,
    store,
    resource,
    addPerson,
    signIn: async (username, scope = 'admin:read admin:write', wanted = resource) => {
      const asked = { clientId: 'cli', redirectUri: CALLBACK, scope, resource: wanted }
      const attempt = await new Person(url, username).authorize(asked)
      if (attempt.code === '') throw new Error(`${attempt.url}\n${attempt.text}`)
      const { status, body } = await redeem(url, attempt, asked)
      if (status !== 200 || body.access_token === undefined) throw new Error(JSON.stringify(body))
      return body.access_token
    },
    call: (token, path, method = 'GET', body, headers = {}) =>
      callUrl(
        `${url}/admin/api/v1${path}`,
        {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value ?? ''])),
        },
        method,
        body === undefined ? undefined : JSON.stringify(body),
      ),
    close: async () => {
      await gateway.close()
      upstream.closeAllConnections()
      await new Promise((resolve) => upstream.close(resolve))
    },
  }
}
