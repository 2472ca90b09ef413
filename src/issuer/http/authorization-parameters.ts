import { matchResource, type Resource } from '../../core/resource.ts'
import { ROUTES } from './endpoints.ts'

/** Where an authorization request comes in; those by the device flow know no prompts. */
const REQUESTS: ReadonlySet<string> = new Set([
  ROUTES.authorization,
  ROUTES.pushed_authorization_request,
  ROUTES.device_authorization,
])

/** Means something to OpenID Connect only; the library refuses it with other requests, in which clients send it all the same. */
const OPENID_ONLY = ['claims', 'claims_locales', 'id_token_hint', 'nonce'] as const

/**
 * What a client asks of the sign-in (RFC 9470 §4), and the name it goes by in a request without `openid`, in which the library refuses the
 * first.
 */
export const SIGN_IN_WISHES = { acr_values: 'wished_acr_values', max_age: 'wished_max_age' } as const

/** Which scope a claim belongs to that can be asked for by itself (OpenID Connect Core §5.5). */
const SCOPE_OF_CLAIM: ReadonlyMap<string, string> = new Map([
  ['name', 'profile'],
  ['preferred_username', 'profile'],
  ['groups', 'profile'],
  ['email', 'email'],
  ['email_verified', 'email'],
])

/**
 * What a client sent to `path`, as the library and our own steps take it: `resource` without `scope` asks for all of it; a
 * claim that is asked for by itself asks for its scope, so that the person is asked, too; prompts that nobody here answers are
 * left out, as is what only OpenID Connect knows where it was not asked for.
 */
export function readAuthorizationParameters(
  sent: URLSearchParams,
  path: string,
  resources: readonly Resource[],
): URLSearchParams {
  const service = path === ROUTES.token && sent.get('grant_type') === 'client_credentials'
  if (!REQUESTS.has(path) && !service) return sent
  const read = new URLSearchParams(sent)
  if (read.has('request_uri')) return read
  addScope(read, resources)
  if (service) return read
  readPrompt(read)
  const openId = (read.get('scope') ?? '').split(' ').includes('openid')
  if (openId) addClaimScopes(read)
  else {
    for (const name of OPENID_ONLY) read.delete(name)
    renameWishes(read)
  }
  return read
}

function addScope(read: URLSearchParams, resources: readonly Resource[]): void {
  if (read.getAll('scope').some((scope) => scope.trim() !== '')) return
  const named = read.getAll('resource').flatMap((resource) => matchResource(resources, resource) ?? [])
  const scopes = new Set(named.flatMap(({ scopes }) => [...scopes.keys()]))
  if (scopes.size > 0) read.set('scope', [...scopes].join(' '))
}

/** To choose another account is to sign in to it; accounts are not made here, and what is unknown says nothing. */
function readPrompt(read: URLSearchParams): void {
  const [prompt, ...others] = read.getAll('prompt')
  if (prompt === undefined || others.length > 0) return
  const values = prompt.split(' ').map((value) => (value === 'select_account' ? 'login' : value))
  const known = [...new Set(values)].filter((value) => ['none', 'login', 'consent'].includes(value))
  if (known.length === 0) read.delete('prompt')
  else read.set('prompt', known.join(' '))
}

function renameWishes(read: URLSearchParams): void {
  for (const [name, wish] of Object.entries(SIGN_IN_WISHES)) {
    const [value, ...more] = read.getAll(name)
    // Refused by the name that the client knows (RFC 6749 §3.1).
    if (value === undefined || more.length > 0) continue
    read.set(wish, value)
    read.delete(name)
  }
}

function addClaimScopes(read: URLSearchParams): void {
  const scopes = new Set((read.get('scope') ?? '').split(' '))
  for (const claim of claimsAskedFor(read.get('claims'))) {
    const scope = SCOPE_OF_CLAIM.get(claim)
    if (scope !== undefined) scopes.add(scope)
  }
  read.set('scope', [...scopes].join(' '))
}

/** None where the parameter can't be read; the library refuses it then. */
function claimsAskedFor(claims: string | null): readonly string[] {
  try {
    const { id_token: idToken, userinfo }: Record<string, unknown> = Object(JSON.parse(claims ?? '{}'))
    return [...Object.keys(Object(idToken)), ...Object.keys(Object(userinfo))]
  } catch {
    return []
  }
}
