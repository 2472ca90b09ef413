import { randomBytes } from 'node:crypto'
import type { AdapterPayload, Configuration } from 'oidc-provider'
import { addressGroup } from '../../core/address.ts'
import type { ClientRecord, ClientType } from '../../store/store.ts'
import { type IssuerContext, seconds } from '../context.ts'
import { plainWords } from '../pages/words.ts'
import type { Bucket } from '../people/buckets.ts'
import { hashClientSecret } from './client-secrets.ts'
import { isLoopbackRedirect, isPrivateRedirect, metadataUriProblem } from './client-uri.ts'
import { makeClientSecret } from './clients.ts'

/** Registrations of one address within a quarter of an hour. Each is a row that somebody has to keep. */
const MOST = 60
/** Of all addresses together: what is never used is forgotten after a day. */
const MOST_IN_ALL = 600

const atMost = (most: number): Bucket => ({ delayMs: () => 0, places: (made) => (made < most ? 16 : 0) })

/** Counts a client that this address has registered. */
export async function countRegistration({ buckets }: IssuerContext, address: string): Promise<void> {
  for (const key of ['registration', `registration ${addressGroup(address).wide}`]) {
    const attempt = await buckets.enter(key, atMost(MOST_IN_ALL))
    await attempt.failed().finally(() => attempt.leave())
  }
}

/** Whether this address may register another client now. */
export async function mayRegister({ buckets }: IssuerContext, address: string): Promise<boolean> {
  const all = await buckets.enter('registration', atMost(MOST_IN_ALL))
  const own = await buckets.enter(`registration ${addressGroup(address).wide}`, atMost(MOST))
  try {
    return !all.full && !own.full
  } finally {
    own.leave()
    all.leave()
  }
}

type Registration = NonNullable<NonNullable<Configuration['features']>['registration']>

const CODE = 'authorization_code'
const REFRESH = 'refresh_token'
const GRANTS: ReadonlySet<unknown> = new Set([CODE, REFRESH, 'urn:ietf:params:oauth:grant-type:device_code'])
const AUTH_METHODS: ReadonlySet<unknown> = new Set(['none', 'client_secret_basic', 'client_secret_post'])
const MOST_REDIRECT_URIS = 20
/** Members that people are sent to. */
const SENT_TO = ['redirect_uris', 'post_logout_redirect_uris']
/** What is kept of what a client sends beyond the columns of its record. */
const KEPT = [
  'grant_types',
  'response_types',
  'token_endpoint_auth_method',
  'client_uri',
  'logo_uri',
  'policy_uri',
  'tos_uri',
  'contacts',
  'dpop_bound_access_tokens',
  'require_pushed_authorization_requests',
] as const

/** Registration by clients themselves (RFC 7591), as routes.yaml has it. */
export function registrationFeature({ settings, registrationToken }: IssuerContext): Registration {
  const { registration } = settings()
  const needsToken = registration === 'token'
  return {
    enabled: registration === 'open' || (needsToken && registrationToken !== undefined),
    initialAccessToken: needsToken ? registrationToken : false,
    issueRegistrationAccessToken: false,
    idFactory: () => `reg_${randomBytes(16).toString('base64url')}`,
    secretFactory: () => makeClientSecret(),
  }
}

type ReadRegistration =
  | { readonly kind: 'good'; readonly metadata: Record<string, unknown> }
  | {
      readonly kind: 'bad'
      readonly error: 'invalid_redirect_uri' | 'invalid_client_metadata'
      readonly problem: string
    }

/**
 * What a client registers, as it may be: of what it sends only what means something here. `scope` does not, because what it
 * may have is decided at authorization; the application type follows from where it sends people; refresh tokens are always
 * among its grants.
 */
export function readRegistration(sent: Record<string, unknown>): ReadRegistration {
  const metadata: Record<string, unknown> = Object.fromEntries(
    [...KEPT, 'client_name', 'redirect_uris', 'post_logout_redirect_uris'].flatMap((name) =>
      sent[name] === undefined ? [] : [[name, sent[name]]],
    ),
  )
  const uris = metadata.redirect_uris ?? []
  const grants = metadata.grant_types ?? [CODE]
  const method = metadata.token_endpoint_auth_method ?? 'client_secret_basic'
  if (!isStrings(uris) || uris.length > MOST_REDIRECT_URIS) {
    return bad('invalid_redirect_uri', `redirect_uris must be a list of at most ${MOST_REDIRECT_URIS} URIs`)
  }
  if (!isStrings(grants) || grants.some((grant) => !GRANTS.has(grant))) {
    return bad('invalid_client_metadata', `grant_types can be: ${[...GRANTS].join(' ')}`)
  }
  if (!AUTH_METHODS.has(method)) {
    return bad('invalid_client_metadata', `token_endpoint_auth_method can be: ${[...AUTH_METHODS].join(' ')}`)
  }
  if (uris.length === 0 && grants.includes(CODE)) return bad('invalid_redirect_uri', 'redirect_uris is missing')
  const type = typeOf(method !== 'none', uris)
  const unfit = metadataUriProblem(sent, SENT_TO)
  if (unfit !== undefined) {
    return bad(unfit.member === 'redirect_uris' ? 'invalid_redirect_uri' : 'invalid_client_metadata', unfit.problem)
  }
  const after = metadata.post_logout_redirect_uris ?? []
  if (!isStrings(after) || after.length > MOST_REDIRECT_URIS) {
    return bad(
      'invalid_client_metadata',
      `post_logout_redirect_uris must be a list of at most ${MOST_REDIRECT_URIS} URIs`,
    )
  }
  const name = typeof metadata.client_name === 'string' ? plainWords(metadata.client_name, 64) : ''
  return {
    kind: 'good',
    metadata: {
      ...metadata,
      client_name: name === '' ? defaultName(uris) : name,
      redirect_uris: uris,
      grant_types: [...new Set([...grants, REFRESH])],
      response_types: grants.includes(CODE) ? ['code'] : [],
      token_endpoint_auth_method: method,
      application_type: leadsToThisMachine(uris) || leadsToThisMachine(after) || type === 'native' ? 'native' : 'web',
    },
  }
}

/** Keeps a client that has registered itself; its secret is kept hashed. */
export async function keepRegistered(context: IssuerContext, metadata: AdapterPayload): Promise<void> {
  const sent = metadata as Record<string, unknown>
  const redirectUris = isStrings(sent.redirect_uris) ? sent.redirect_uris : []
  const secret = typeof sent.client_secret === 'string' ? sent.client_secret : undefined
  const id = String(sent.client_id)
  const client: ClientRecord = {
    id,
    type: typeOf(secret !== undefined, redirectUris),
    name: String(sent.client_name ?? id),
    redirectUris,
    postLogoutRedirectUris: isStrings(sent.post_logout_redirect_uris) ? sent.post_logout_redirect_uris : [],
    thirdParty: true,
    origin: 'registration',
    secretHash: secret === undefined ? undefined : hashClientSecret(secret),
    allow: [],
    revoked: false,
    createdAt: seconds(context),
    metadata: Object.fromEntries(KEPT.flatMap((name) => (sent[name] === undefined ? [] : [[name, sent[name]]]))),
  }
  await context.store.addClient(client)
  await context.record('client.registered', { client: id, name: client.name, redirectUris })
}

/** An app with a scheme of its own is native, whatever stands beside it: editors register one beside https and loopback. */
function typeOf(secret: boolean, uris: readonly string[]): ClientType {
  if (secret) return 'web'
  return uris.some(isPrivateRedirect) || uris.every(isLoopbackRedirect) ? 'native' : 'spa'
}

function leadsToThisMachine(uris: readonly string[]): boolean {
  return uris.some((uri) => isPrivateRedirect(uri) || isLoopbackRedirect(uri))
}

function defaultName(uris: readonly string[]): string {
  const [first = ''] = uris
  return URL.parse(first)?.host || 'An app without a name'
}

function isStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string')
}

function bad(error: Extract<ReadRegistration, { kind: 'bad' }>['error'], problem: string): ReadRegistration {
  return { kind: 'bad', error, problem }
}
