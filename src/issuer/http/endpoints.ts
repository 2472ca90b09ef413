/** Where the library's endpoints stand, and which methods they take. */
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

const METADATA = ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration'] as const

const METHODS: ReadonlyMap<string, readonly string[]> = new Map([
  ...METADATA.map((path): [string, readonly string[]] => [path, ['GET', 'HEAD', 'OPTIONS']]),
  [ROUTES.authorization, ['GET', 'HEAD', 'POST']],
  [ROUTES.token, ['POST', 'OPTIONS']],
  [ROUTES.jwks, ['GET', 'HEAD', 'OPTIONS']],
  [ROUTES.revocation, ['POST', 'OPTIONS']],
  [ROUTES.introspection, ['POST', 'OPTIONS']],
  [ROUTES.device_authorization, ['POST', 'OPTIONS']],
  [ROUTES.code_verification, ['GET', 'HEAD', 'POST']],
  [ROUTES.pushed_authorization_request, ['POST', 'OPTIONS']],
  [ROUTES.userinfo, ['GET', 'HEAD', 'POST', 'OPTIONS']],
  [ROUTES.end_session, ['GET', 'HEAD', 'POST']],
  [`${ROUTES.end_session}/confirm`, ['POST']],
  [`${ROUTES.end_session}/success`, ['GET', 'HEAD']],
])

/** The methods of the library's endpoint at `path`; undefined: it has none there. Registration is NOT among them. */
export function endpointMethods(path: string): readonly string[] | undefined {
  const resumed = /^\/oauth\/(?:authorize|device)\/[\w-]{1,64}$/.test(path)
  return resumed ? ['GET', 'HEAD'] : METHODS.get(path)
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
