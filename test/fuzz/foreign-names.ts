import fc from 'fast-check'

/** Who is calling, in every header set; what `headers`, `set_headers` and `strip_headers` of the test's routes name; what is the gateway's alone. */
const OURS = [
  ...['X-Auth-Username', 'X-Auth-Subject', 'X-Auth-Groups', 'X-Auth-Email', 'X-Auth-Name', 'X-Auth-Client'],
  ...['X-Auth-Issuer', 'X-Auth-Scope', 'Remote-User', 'Remote-Groups', 'Remote-Email', 'Remote-Name'],
  ...['X-Forwarded-User', 'X-Forwarded-Preferred-Username', 'X-Forwarded-Groups', 'X-Forwarded-Email'],
  ...['X-WEBAUTH-USER', 'X-WEBAUTH-GROUPS', 'X-WEBAUTH-EMAIL', 'X-WEBAUTH-NAME'],
  ...['X-Tenant', 'X-Api-Key', 'X-Session-Key', 'X-Audgate-Authorization', 'X-Audgate-Anything'],
]

/** Meta-variables of RFC 3875 §4.1, and fields that name another path, host or method to some server. */
const MOVING = [
  ...['SCRIPT_NAME', 'PATH_INFO', 'PATH_TRANSLATED', 'REQUEST_METHOD', 'QUERY_STRING', 'SERVER_NAME', 'SERVER_PORT'],
  ...['REMOTE_ADDR', 'REMOTE_HOST', 'REMOTE_IDENT', 'AUTH_TYPE', 'GATEWAY_INTERFACE', 'SERVER_PROTOCOL', 'REQUEST_URI'],
  ...['DOCUMENT_ROOT', 'SCRIPT_FILENAME', 'X-Script-Name', 'X-Original-URL', 'X-Original-URI', 'X-Original-Method'],
  ...[
    'X-Original-Host',
    'X-Rewrite-URL',
    'X-Override-URL',
    'X-Envoy-Original-Path',
    'X-Ingress-Path',
    'X-Accel-Mapping',
  ],
  ...['X-Sendfile-Type', 'X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override', 'X-Forwarded-Path', 'X-Host'],
  ...[
    'X-Forwarded-Uri',
    'X-Forwarded-Method',
    'X-HTTP-Host-Override',
    'X-HTTP-DestinationURL',
    'X-Middleware-Subrequest',
  ],
  ...[
    'Impersonate-User',
    'X-Auth-Request-User',
    'X-Consumer-Username',
    'X-Remote-User',
    'Proxy',
    'Proxy-Authorization',
  ],
]

/** Who is at the other end: nobody's word but a trusted proxy's. */
const ADDRESSES = [
  ...['Forwarded', 'X-Forwarded', 'X-Forwarded-For', 'X-Forwarded-Host', 'X-Forwarded-Proto', 'X-Forwarded-Port'],
  ...['X-Forwarded-Prefix', 'X-Forwarded-Server', 'X-Real-IP', 'True-Client-IP', 'Client-IP', 'CF-Connecting-IP'],
  ...['X-Client-IP', 'X-Cluster-Client-IP', 'X-SSL-Client-Verify', 'X-Scheme', 'Front-End-Https', 'Client-Cert'],
  ...[
    'OIDC_CLAIM_sub',
    'Shib-Eppn',
    'SM_USER',
    'iv-user',
    'X-Idp-User',
    'Real-IP',
    'X-Forward-For',
    'X-TLS-Client-Cert',
  ],
]

const NEUTRAL = [
  ...['X-One', 'Accept', 'X-Authentic', 'X-Auth', 'Remote', 'X-Forward', 'Script', 'X-Path', 'Range', 'If-Match'],
  ...['X-Tenants', 'X-Api', 'User-Agent', 'X-Photo_Album', 'X.Dotted', "X'quoted", '!odd', '~', 'HTTPS-Only-Please'],
]

const TOKEN_MARKS = [..."!#$%&'*+-.^_`|~"]
/** Bytes that no name may have, and that CGI and WSGI programs would take for `_`. */
const OTHER_MARKS = [...' \t()[]{}<>@,;"/?=\\\x00\x0b\x1f\x7f\x80\xa0\xad\xff']

/** A name that CGI programs take for `name`: each separator any mark, each letter in any case. */
function spelledLike(name: string, marks: readonly string[]): fc.Arbitrary<string> {
  const chars = [...name].map((char) =>
    /[a-z0-9]/i.test(char) ? fc.constantFrom(char.toLowerCase(), char.toUpperCase()) : fc.constantFrom(...marks),
  )
  return fc.tuple(...chars).map((all) => all.join(''))
}

function forged(names: readonly string[]): fc.Arbitrary<string> {
  const marks = fc.constantFrom(['-', '_', '-'], TOKEN_MARKS, TOKEN_MARKS, [...TOKEN_MARKS, ...OTHER_MARKS])
  const prefix = fc.constantFrom('', '', '', 'HTTP_', 'HTTP-HTTP-')
  return fc
    .tuple(prefix, fc.constantFrom(...names), marks)
    .chain(([before, name, among]) => spelledLike(before + name, among))
}

/** Names that never come from a stranger, as somebody would spell them who wants them to. */
export const foreignName = forged([...OURS, ...MOVING, ...ADDRESSES])
/** The same from a trusted proxy, whose word on addresses counts. */
export const neverName = forged([...OURS, ...MOVING])
export const neutralName = fc.constantFrom(...NEUTRAL)
/** Names that no trailer may have: of framing, routing, logins, cookies, references and rights (RFC 9110 §6.5.1). */
export const trailerName = fc
  .constantFrom(
    ...[
      'Transfer-Encoding',
      'Content-Length',
      'Content-Encoding',
      'Content-Range',
      'Content-Type',
      'Host',
      'Connection',
    ],
    ...[
      'Keep-Alive',
      'Proxy-Authenticate',
      'Trailer',
      'TE',
      'Upgrade',
      'Set-Cookie',
      'Set-Cookie2',
      'Location',
      'Link',
    ],
    ...['Refresh', 'Alt-Svc', 'WWW-Authenticate', 'Authentication-Info', 'Persistent-Auth', 'Cache-Control', 'Expires'],
    ...['Age', 'Vary', 'Date', 'Access-Control-Allow-Origin', 'Clear-Site-Data', 'Service-Worker-Allowed', 'SourceMap'],
    ...['Strict-Transport-Security', 'Public-Key-Pins', 'Expect-CT', 'X-Accel-Redirect', 'X-Sendfile', 'Authorization'],
  )
  .chain((name) => spelledLike(name, TOKEN_MARKS))

/** What the gateway says of alice, and of the request; each exactly once. */
export const SAID_ONCE = [
  ...['Host', 'X-Auth-Username', 'X-Auth-Subject', 'X-Api-Key', 'X-Forwarded-For', 'X-Forwarded-Host'],
  ...['X-Forwarded-Proto', 'X-Request-Id', 'Via'],
]

/** As CGI programs know a field: every byte other than a letter or digit is `_`. */
export function asVariable(name: string): string {
  return name.toUpperCase().replace(/[^A-Z0-9]/g, '_')
}
