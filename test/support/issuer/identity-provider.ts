import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { decodeJwt, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import Provider, { type Configuration, type KoaContextWithOIDC } from 'oidc-provider'

/** Somebody at the provider. `claims` are sent as they are, `groups` under the claim of the kind. */
interface ProviderAccount {
  readonly sub: string
  readonly name?: string
  readonly username?: string
  readonly email?: string
  readonly emailVerified?: boolean
  readonly groups?: readonly string[]
  readonly claims?: Readonly<Record<string, unknown>>
  readonly disabled?: boolean
}

/** How a kind of provider behaves, as far as a client can tell. */
interface ProviderKind {
  /** Behind the origin. */
  readonly path: string
  readonly scopes: readonly string[]
  /** The claim, and where it stands. */
  readonly groups: { readonly claim: string; readonly places: readonly ('id_token' | 'userinfo')[] }
  readonly groupsOf?: (names: readonly string[]) => unknown
  readonly alg?: 'RS256' | 'ES256' | 'HS256'
  /** The client authenticates in this way only. */
  readonly clientAuth?: 'client_secret_basic' | 'client_secret_post'
  /** Every scope that isn't known ends the request. */
  readonly strictScopes?: boolean
  readonly withoutRefreshToken?: boolean
  readonly rotates?: boolean
  /** One issuer for every tenant: metadata leave the tenant's place open, tokens name it, and no response says `iss`. */
  readonly everyTenant?: true
}

const list = (claim: string, places: readonly ('id_token' | 'userinfo')[]) => ({ claim, places })
const BOTH = ['id_token', 'userinfo'] as const

/** One row a kind, after what is known of each. */
const KINDS = {
  authentik: {
    path: '/application/o/gate/',
    scopes: ['openid', 'profile', 'email', 'offline_access'],
    groups: list('groups', BOTH),
    alg: 'RS256',
  },
  keycloak: {
    path: '/realms/home',
    scopes: ['openid', 'profile', 'email', 'offline_access'],
    groups: list('groups', ['id_token']),
    groupsOf: (names: readonly string[]) => names.map((name) => `/${name}`),
    rotates: false,
  },
  zitadel: {
    path: '',
    scopes: ['openid', 'profile', 'email', 'offline_access', 'urn:zitadel:iam:org:projects:roles'],
    groups: list('urn:zitadel:iam:org:project:roles', ['userinfo']),
    groupsOf: (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, { '1': 'home.example' }])),
  },
  authelia: {
    path: '',
    scopes: ['openid', 'profile', 'email', 'groups', 'offline_access'],
    groups: list('groups', ['userinfo']),
    clientAuth: 'client_secret_basic',
    rotates: true,
  },
  'pocket-id': {
    path: '',
    scopes: ['openid', 'profile', 'email', 'groups', 'offline_access'],
    groups: list('groups', BOTH),
  },
  kanidm: {
    path: '/oauth2/openid/gate',
    scopes: ['openid', 'profile', 'email', 'groups_name'],
    groups: list('groups_name', BOTH),
    alg: 'ES256',
    clientAuth: 'client_secret_basic',
    strictScopes: true,
  },
  entra: {
    path: '/8d1a2f5c-0000-4000-8000-0123456789ab/v2.0',
    scopes: ['openid', 'profile', 'email', 'offline_access'],
    groups: list('roles', ['id_token']),
  },
  'entra-common': {
    path: '/common/v2.0',
    scopes: ['openid', 'profile', 'email', 'offline_access'],
    groups: list('roles', ['id_token']),
    everyTenant: true,
  },
} as const satisfies Record<string, ProviderKind>

export type KindName = keyof typeof KINDS

/** What a test bends. Set and changed at any time. */
interface Defects {
  /** Changes an answer of the token endpoint before it is sent. */
  token?: ((body: Record<string, unknown>) => Promise<Record<string, unknown>> | Record<string, unknown>) | undefined
  /** Changes the metadata. */
  metadata?: ((body: Record<string, unknown>) => Record<string, unknown>) | undefined
  /** Answers instead, for a path below the issuer. */
  instead?: ((path: string, response: ServerResponse, request: IncomingMessage) => boolean) | undefined
  /** Changes what the browser is sent back with. */
  callback?: ((url: URL) => void) | undefined
}

export interface TestProvider {
  readonly issuer: string
  readonly kind: ProviderKind
  readonly clientId: string
  readonly clientSecret: string
  readonly defects: Defects
  /** Requests by path, without query, in order. */
  readonly requests: {
    readonly path: string
    readonly query: URLSearchParams
    readonly headers: IncomingMessage['headers']
  }[]
  /** Who a browser without a session is taken for; undefined: nobody, and `access_denied` is answered. */
  person: string | undefined
  setAccount(account: ProviderAccount): void
  account(sub: string): ProviderAccount
  /** Codes and tokens that were given out. */
  readonly given: string[]
  /** Signs with the provider's key. */
  sign(claims: Readonly<Record<string, unknown>>, header?: Readonly<Record<string, unknown>>): Promise<string>
  calls(path: string): number
  close(): Promise<void>
}

interface TestProviderOptions {
  readonly kind: KindName
  readonly change?: Partial<ProviderKind>
  /** Where the client is sent back to; `*` is anywhere. */
  readonly callback: string
  readonly now?: () => number
  readonly tls?: { readonly cert: string; readonly key: string; readonly origin: string }
  readonly listen?: (handler: (request: IncomingMessage, response: ServerResponse) => void) => Server
  readonly origin?: string
}

/** A provider of a kind on a free port, behaving as that kind is known to. */
export async function startProvider(options: TestProviderOptions): Promise<TestProvider> {
  const kind: ProviderKind = { ...KINDS[options.kind], ...options.change }
  const holder: { handler: (request: IncomingMessage, response: ServerResponse) => void } = { handler: () => undefined }
  const handle = (request: IncomingMessage, response: ServerResponse): void => holder.handler(request, response)
  const server = options.listen?.(handle) ?? createServer(handle)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = options.origin ?? `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const issuer = `${origin}${kind.path}`
  const alg = kind.alg ?? 'RS256'
  const { privateKey } = await generateKeyPair(alg === 'HS256' ? 'RS256' : alg, { extractable: true })
  const jwk: JWK = { ...(await exportJWK(privateKey)), kid: 'one', use: 'sig', alg: alg === 'HS256' ? 'RS256' : alg }
  const accounts = new Map<string, ProviderAccount>()
  const clientSecret = randomBytes(24).toString('base64url')
  const provider = new Provider(issuer, configuration(options, kind, jwk, accounts, clientSecret))
  provider.proxy = true
  if (options.callback === '*') provider.Client.prototype.redirectUriAllowed = () => true
  const test: TestProvider = {
    issuer,
    kind,
    clientId: 'gate',
    clientSecret,
    defects: {},
    requests: [],
    person: undefined,
    setAccount: (account) => void accounts.set(account.sub, account),
    account: (sub) => accounts.get(sub) ?? { sub },
    given: [],
    sign: (claims, header = {}) =>
      new SignJWT({ ...claims }).setProtectedHeader({ alg: String(jwk.alg), kid: 'one', ...header }).sign(privateKey),
    calls: (path) => test.requests.filter((request) => request.path === `${base(kind)}${path}`).length,
    close: async () => {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
  interactions(provider, test)
  bend(provider, test)
  const answer = provider.callback()
  holder.handler = (request, response) => serve(test, answer, origin, request, response)
  return test
}

function base(kind: ProviderKind): string {
  return kind.path.replace(/\/$/, '')
}

function serve(
  test: TestProvider,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  origin: string,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const url = new URL(request.url ?? '/', origin)
  test.requests.push({ path: url.pathname, query: url.searchParams, headers: { ...request.headers } })
  const path = url.pathname.slice(base(test.kind).length)
  if (test.defects.instead?.(path, response, request) === true) return
  if (
    path === '/token' &&
    test.kind.clientAuth === 'client_secret_post' &&
    request.headers.authorization !== undefined
  ) {
    response.writeHead(401, { 'www-authenticate': 'Basic realm="provider"', 'content-type': 'application/json' })
    response.end(JSON.stringify({ error: 'invalid_client' }))
    return
  }
  request.headers['x-forwarded-proto'] = new URL(origin).protocol.slice(0, -1)
  request.headers['x-forwarded-host'] = new URL(origin).host
  // The library's routes stand at its root.
  request.url = `${path}${url.search}`
  Object.assign(request, { originalUrl: `${base(test.kind)}${path}${url.search}`, baseUrl: base(test.kind) })
  answer(request, response)
}

/** Signs in whoever {@link TestProvider.person} says, without a page. */
function interactions(provider: Provider, test: TestProvider): void {
  provider.use(async (ctx, next) => {
    const uid = /^\/interaction\/([\w-]+)$/.exec(ctx.path)?.[1]
    if (uid === undefined) return next()
    const details = await provider.interactionDetails(ctx.req, ctx.res)
    const account = test.person === undefined ? undefined : test.account(test.person)
    if (account === undefined || account.disabled === true) {
      const denied = { error: 'access_denied', error_description: 'alice@home.example is not allowed (secret words)' }
      return provider.interactionFinished(ctx.req, ctx.res, denied)
    }
    if (details.prompt.name === 'login') {
      return provider.interactionFinished(ctx.req, ctx.res, { login: { accountId: account.sub, amr: ['pwd', 'mfa'] } })
    }
    const grant = new provider.Grant({ accountId: account.sub, clientId: 'gate' })
    grant.addOIDCScope(String(details.params.scope))
    await provider.interactionFinished(ctx.req, ctx.res, { consent: { grantId: await grant.save() } })
  })
}

type ProviderContext = Parameters<Parameters<Provider['use']>[0]>[0]

/** Puts the person's tenant where tokens name the issuer, and leaves its place open in the metadata. */
async function openTenant({ kind, issuer, sign }: TestProvider, ctx: ProviderContext): Promise<void> {
  if (kind.everyTenant !== true) return
  const location = String(ctx.response.get('location') ?? '')
  if (location.includes('/oauth/providers/')) {
    const url = new URL(location)
    url.searchParams.delete('iss')
    ctx.redirect(url.href)
  }
  const body = ctx.body as Record<string, unknown> | undefined
  if (ctx.path === '/token' && typeof body?.id_token === 'string') {
    const claims = decodeJwt(body.id_token)
    ctx.body = {
      ...body,
      id_token: await sign({ ...claims, iss: issuer.replace('/common/', `/${String(claims.tid)}/`) }),
    }
  }
  if (ctx.path !== '/.well-known/openid-configuration') return
  const template = issuer.replace('/common/', '/{tenantid}/')
  ctx.body = { ...body, issuer: template, authorization_response_iss_parameter_supported: undefined }
}

/** Sends answers through the test's defects. */
function bend(provider: Provider, test: TestProvider): void {
  provider.use(async (ctx, next) => {
    await next()
    const { defects } = test
    await openTenant(test, ctx)
    const location = String(ctx.response.get('location') ?? '')
    if (defects.callback !== undefined && location.includes('/oauth/providers/')) {
      const url = new URL(location)
      defects.callback(url)
      ctx.redirect(url.href)
    }
    const body = ctx.body as Record<string, unknown> | undefined
    const code = location.includes('code=') ? new URL(location).searchParams.get('code') : null
    if (code !== null) test.given.push(code)
    if (ctx.path === '/token' && ctx.status === 200 && body !== undefined) {
      for (const name of ['access_token', 'refresh_token', 'id_token']) {
        if (typeof body[name] === 'string') test.given.push(body[name])
      }
      const rest = test.kind.withoutRefreshToken === true ? { ...body, refresh_token: undefined } : body
      ctx.body = defects.token === undefined ? rest : await defects.token(rest)
    }
    if (ctx.path === '/.well-known/openid-configuration' && defects.metadata !== undefined && body !== undefined) {
      ctx.body = defects.metadata(body)
    }
  })
}

function configuration(
  options: TestProviderOptions,
  kind: ProviderKind,
  jwk: JWK,
  accounts: ReadonlyMap<string, ProviderAccount>,
  clientSecret: string,
): Configuration {
  const alg = kind.alg ?? 'RS256'
  const groupsOf = kind.groupsOf ?? ((names: readonly string[]) => names)
  const claimsOf = (sub: string, use: string): Record<string, unknown> => {
    const account = accounts.get(sub) ?? { sub }
    const place = use === 'userinfo' ? 'userinfo' : 'id_token'
    const groups = account.groups !== undefined && kind.groups.places.includes(place)
    return {
      sub,
      name: account.name,
      preferred_username: account.username,
      nickname: account.username,
      email: account.email,
      email_verified: account.emailVerified ?? false,
      ...(groups ? { [kind.groups.claim]: groupsOf(account.groups ?? []) } : {}),
      ...account.claims,
    }
  }
  const auth = kind.clientAuth ?? 'client_secret_basic'
  return {
    clients: [
      {
        client_id: 'gate',
        client_secret: clientSecret,
        redirect_uris: [options.callback === '*' ? 'http://127.0.0.1/any' : options.callback],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        token_endpoint_auth_method: auth,
        id_token_signed_response_alg: alg,
      },
    ],
    jwks: { keys: [jwk as never] },
    scopes: [...kind.scopes],
    claims: {
      openid: [
        'sub',
        kind.groups.claim,
        'sid',
        'auth_time',
        'oid',
        'tid',
        'hd',
        '_claim_names',
        'hasgroups',
        'amr',
        'acr',
      ],
      profile: ['name', 'preferred_username', 'nickname'],
      email: ['email', 'email_verified'],
    },
    conformIdTokenClaims: false,
    findAccount: (_ctx: KoaContextWithOIDC, sub: string) => {
      const account = accounts.get(sub)
      if (account === undefined || account.disabled === true) return undefined
      return { accountId: sub, claims: async (use: string) => ({ ...claimsOf(sub, use) }) as never }
    },
    features: {
      devInteractions: { enabled: false },
      revocation: { enabled: true },
      rpInitiatedLogout: { enabled: true },
      backchannelLogout: { enabled: true },
    },
    interactions: { url: (_ctx, interaction) => `${base(kind)}/interaction/${interaction.uid}` },
    issueRefreshToken: async () => kind.withoutRefreshToken !== true,
    rotateRefreshToken: () => kind.rotates !== false,
    pkce: { required: () => true },
    cookies: { keys: ['provider under test'], short: { path: '/' }, long: { path: '/' } },
    enabledJWA: { idTokenSigningAlgValues: [alg] },
    clientBasedCORS: () => false,
    ttl: { AccessToken: 300, IdToken: 300, RefreshToken: 86_400, Session: 86_400, Grant: 86_400, Interaction: 600 },
    renderError: (ctx, out) => {
      ctx.type = 'text'
      ctx.body = JSON.stringify(out)
    },
  }
}
