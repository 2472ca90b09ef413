import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { JWK } from 'jose'
import Provider, { type Configuration } from 'oidc-provider'
import { makeKey, type TestKey } from '../keys.ts'

interface ForeignIssuerOptions {
  /** Resource identifier → scopes that it knows. */
  readonly resources: Readonly<Record<string, readonly string[]>>
  /** Claims put into every access token, such as `groups` and `username`. */
  readonly claims?: Readonly<Record<string, unknown>>
  readonly alg?: string
  readonly tokenSeconds?: number
}

export interface ForeignIssuer {
  /** The issuer identifier. */
  readonly issuer: string
  readonly jwksUri: string
  /** An RFC 9068 access token by client credentials and resource indicator, as any client gets it. */
  token(resource: string, scope: string): Promise<string>
  /** A new key signs, and is the only one published unless `keepOld`. */
  rotate(options?: { readonly keepOld?: boolean }): void
  /** Stops listening and drops every connection. */
  switchOff(): Promise<void>
  /** Listens again on the same port. */
  switchOn(): Promise<void>
  /** How often the key set was fetched. */
  readonly keyFetches: () => number
  close(): Promise<void>
}

const CLIENT = 'test-service'
const SECRET = 'test-service-secret'

/** An authorization server of another make (oidc-provider) on a loopback port of its own. */
export async function startForeignIssuer(options: ForeignIssuerOptions): Promise<ForeignIssuer> {
  let handle: RequestListener = (_, response) => response.writeHead(503).end()
  let keyFetches = 0
  const server = createServer((request, response) => {
    if (request.url === '/jwks') keyFetches += 1
    // Nobody holds a connection that `switchOff` would break under the next request.
    response.setHeader('connection', 'close')
    handle(request, response)
  })
  await listen(server, 0)
  const { port } = server.address() as AddressInfo
  const issuer = `http://127.0.0.1:${port}`
  let keys: readonly TestKey[] = [makeKey(options.alg)]
  const rebuild = (): void => {
    handle = new Provider(issuer, configuration(options, keys)).callback()
  }
  rebuild()
  return {
    issuer,
    jwksUri: `${issuer}/jwks`,
    token: (resource, scope) => fetchToken(issuer, resource, scope),
    rotate: ({ keepOld = false } = {}) => {
      keys = [makeKey(options.alg), ...(keepOld ? keys : [])]
      rebuild()
    },
    switchOff: () => stop(server),
    switchOn: () => listen(server, port),
    keyFetches: () => keyFetches,
    close: () => (server.listening ? stop(server) : Promise.resolve()),
  }
}

function configuration(options: ForeignIssuerOptions, keys: readonly TestKey[]): Configuration {
  const alg = options.alg ?? 'ES256'
  return {
    // A storage that keeps nothing: client credentials with JWT tokens need none, and the library's own says so on stdout.
    adapter: () => forgetful,
    jwks: { keys: keys.map(privateJwk) },
    cookies: { keys: ['test'] },
    clients: [
      {
        client_id: CLIENT,
        client_secret: SECRET,
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
        id_token_signed_response_alg: alg,
      } as never,
    ],
    scopes: [],
    ttl: { ClientCredentials: options.tokenSeconds ?? 300 },
    extraTokenClaims: () => ({ ...options.claims }),
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_, resource) => ({
          scope: (options.resources[resource] ?? []).join(' '),
          audience: resource,
          accessTokenFormat: 'jwt',
          accessTokenTTL: options.tokenSeconds ?? 300,
          jwt: { sign: { alg: alg as 'ES256' } },
        }),
      },
    },
  }
}

const forgetful = {
  upsert: async () => undefined,
  find: async () => undefined,
  findByUserCode: async () => undefined,
  findByUid: async () => undefined,
  consume: async () => undefined,
  destroy: async () => undefined,
  revokeByGrantId: async () => undefined,
}

function privateJwk({ privateKey, kid, alg }: TestKey): JWK {
  return { ...(privateKey.export({ format: 'jwk' }) as JWK), kid, alg, use: 'sig' }
}

async function fetchToken(issuer: string, resource: string, scope: string): Promise<string> {
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${CLIENT}:${SECRET}`).toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', resource, scope }),
  })
  const body = (await response.json()) as { access_token?: string }
  if (body.access_token === undefined) throw new Error(`no token: ${response.status} ${JSON.stringify(body)}`)
  return body.access_token
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function stop(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
