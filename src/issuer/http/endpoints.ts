/** Where the library's endpoints stand. */
export const ROUTES = {
  authorization: '/oauth/authorize',
  token: '/oauth/token',
  jwks: '/oauth/jwks',
  revocation: '/oauth/revoke',
  introspection: '/oauth/introspect',
  device_authorization: '/oauth/device_authorization',
  code_verification: '/oauth/device',
  pushed_authorization_request: '/oauth/par',
  userinfo: '/oauth/userinfo',
  end_session: '/oauth/logout',
  registration: '/oauth/register',
} as const

/** An endpoint of the library; what happens to a request goes by it. */
export type EndpointName =
  | keyof typeof ROUTES
  | 'metadata'
  | 'authorization_resumed'
  | 'code_verification_resumed'
  | 'end_session_confirm'
  | 'end_session_success'

const METADATA = ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration'] as const

const ENDPOINTS: ReadonlyMap<string, EndpointName> = new Map([
  ...METADATA.map((path): [string, EndpointName] => [path, 'metadata']),
  ...Object.entries(ROUTES).map(([name, path]): [string, EndpointName] => [path, name as keyof typeof ROUTES]),
  [`${ROUTES.end_session}/confirm`, 'end_session_confirm'],
  [`${ROUTES.end_session}/success`, 'end_session_success'],
])

/** The library's endpoint at `path`; undefined: it has none there. */
export function endpointAt(path: string): EndpointName | undefined {
  const [, resumed] = /^(\/oauth\/(?:authorize|device))\/[\w-]{1,64}$/.exec(path) ?? []
  if (resumed === undefined) return ENDPOINTS.get(path)
  return resumed === ROUTES.authorization ? 'authorization_resumed' : 'code_verification_resumed'
}

/**
 * The path that the library knows metadata by. For an issuer with a path, RFC 8414 §3.1 puts it behind the well-known part;
 * other paths stay.
 */
export function metadataAlias(path: string, issuer: string): string {
  const { pathname } = new URL(issuer)
  const suffix = pathname.replace(/\/$/, '')
  if (suffix === '') return path
  return METADATA.find((known) => path === `${known}${suffix}`) ?? path
}
