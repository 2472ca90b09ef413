import { bent, type Case, describeCases, GOOD, withRouteLines } from './files.ts'

/** A second route after the good one, from line 17 on. */
function secondRoute(...lines: readonly string[]): string {
  return `${GOOD}  - id: second\n${lines.map((line) => `    ${line}\n`).join('')}`
}

const ROUTES: readonly Case[] = [
  {
    rule: 'a route has an id',
    text: bent('  - id: photos\n    path', '  - path'),
    problem: /^10:5: `routes\[0\].id` is missing/,
  },
  {
    rule: 'an id is for one route',
    text: GOOD.concat('  - id: photos\n    path: /b\n    public: true\n    upstream: http://b\n'),
    problem: /^17:9: the same id stands in line 10/,
  },
  {
    rule: 'routes of one host differ in more than letter case',
    text: secondRoute('path: /PHOTOS', 'public: true', 'upstream: http://b'),
    problem: /^18:11: differs from the route in line 11 in letter case only/,
  },
  {
    rule: 'routes that differ in letter case only are both sensitive to it',
    text: secondRoute('path: /PHOTOS', 'case: sensitive', 'public: true', 'upstream: http://b'),
    problem: /^18:11: differs from the route in line 11 in letter case only.*at both/,
  },
  {
    rule: 'a route without a resource says `public: true`',
    text: secondRoute('path: /b', 'upstream: http://b'),
    problem: /^17:5: .*public: true/,
  },
  {
    rule: 'a list of public paths does not stand in for a resource',
    text: secondRoute('path: /b', 'public: [/a]', 'upstream: http://b'),
    problem: /^17:5: .*public: true/,
  },
  {
    rule: 'a route with a resource is not public',
    text: withRouteLines('public: true'),
    problem: /^17:13: .*not public/,
  },
  {
    rule: 'a protocol to tunnel carries no requests that nobody judges',
    text: withRouteLines('upgrades: [h2c]'),
    problem: /^17:\d+: .*requests that nobody judges/,
  },
  {
    rule: 'a protocol to tunnel is spelled as Upgrade spells it',
    text: withRouteLines('upgrades: ["web socket"]'),
    problem: /^17:\d+: .*such as websocket/,
  },
  {
    rule: 'rules need a resource',
    text: secondRoute('path: /b', 'public: true', 'upstream: http://b', 'rules: [{ methods: [any], scopes: [] }]'),
    problem: /^21:5: `rules` need a `resource`/,
  },
  {
    rule: 'a protected route needs rules',
    text: bent('    rules:\n      - methods: [read]\n        scopes: [photos:read]\n', ''),
    problem: /^10:5: .*needs `rules`/,
  },
  {
    rule: 'a rule names its scopes',
    text: bent('- methods: [read]\n        scopes: [photos:read]', '- methods: [read]'),
    problem: /^15:9: .*scopes` is missing/,
  },
  {
    rule: 'a rule needs scopes of its resource',
    text: bent('[read]\n        scopes: [photos:read]', '[read]\n        scopes: [files:read]'),
    problem: /^16:18: .*no scope `files:read`/,
  },
  {
    rule: 'a resource is known',
    text: bent('resource: https://gate.example.com/photos', 'resource: https://gate.example.com/photos/'),
    problem: /^12:15: no resource has the id `https:\/\/gate.example.com\/photos\/`/,
  },
  {
    rule: 'two routes with the same host and path could both match',
    text: secondRoute('path: /photos/', 'public: true', 'upstream: http://b'),
    problem: /^18:11: the route in line 11 has the same host and path/,
  },
  {
    rule: 'two spellings of a path are one',
    text: GOOD.replace('path: /photos', 'path: /f%C3%B6tos').concat(
      '  - id: b\n    path: /fötos\n    public: true\n    upstream: http://b\n',
    ),
    problem: /^18:11: the route in line 11/,
  },
  {
    rule: 'a reserved path is the issuer’s on every host',
    text: bent('path: /photos', 'path: /oauth/photos'),
    problem: /^11:11: .*\/oauth/,
  },
  {
    rule: 'a reserved path is the issuer’s on the public host',
    text: bent('path: /photos', 'host: gate.example.com\n    path: /account'),
    problem: /^12:11: .*\/account/,
  },
  {
    rule: 'resource metadata is the gateway’s on every host',
    text: bent('path: /photos', 'host: b.example.com\n    path: /.well-known/oauth-protected-resource/x'),
    problem: /^12:11: /,
  },
  { rule: 'a path begins with /', text: bent('path: /photos', 'path: photos'), problem: /^11:11: .*begin with \// },
  { rule: 'a path has no dot segments', text: bent('path: /photos', 'path: /a/../b'), problem: /^11:11: / },
  { rule: 'a path has no wildcard', text: bent('path: /photos', 'path: /photos/*'), problem: /^11:11: .*\*/ },
  {
    rule: 'a host has no port',
    text: bent('path: /photos', 'host: a.example.com:80'),
    problem: /^11:11: .*without port/,
  },
  {
    rule: 'a host is no wildcard',
    text: bent('path: /photos', 'host: "*.example.com"'),
    problem: /^11:11: .*wildcards/,
  },
  { rule: 'an upstream is http or https', text: bent('http://127.0.0.1:2283', 'ftp://a'), problem: /^13:15: / },
  {
    rule: 'an upstream has no user',
    text: bent('http://127.0.0.1:2283', 'http://u:p@a'),
    problem: /^13:15: .*user name/,
  },
  {
    rule: 'an upstream has no query',
    text: bent('http://127.0.0.1:2283', 'http://a/?b=c'),
    problem: /^13:15: .*query/,
  },
  {
    rule: 'an upstream has no dot segments',
    text: bent('http://127.0.0.1:2283', 'http://a/b/../c'),
    problem: /^13:15: .*dot segments/,
  },
  {
    rule: 'an upstream stands once in a list',
    text: bent('http://127.0.0.1:2283', '[http://a, http://a:80/]'),
    problem: /^13:26: /,
  },
  {
    rule: 'a list of upstreams is not empty',
    text: bent('http://127.0.0.1:2283', '[]'),
    problem: /^13:15: .*at least one upstream/,
  },
  { rule: 'methods are in capitals', text: bent('[read]', '[get]'), problem: /^15:19: .*GET/ },
  { rule: 'a method is a token', text: bent('[read]', '["a b"]'), problem: /^15:19: / },
  { rule: 'a rule names its methods', text: bent('[read]', '[]'), problem: /^15:18: .*at least one method/ },
  { rule: 'a pattern begins with /', text: withRouteLines('public: [share]'), problem: /^17:14: .*begin with \// },
  { rule: '** stands alone between slashes', text: withRouteLines('public: [/a**]'), problem: /^17:14: .*\*\*/ },
  {
    rule: 'no header of the connection is set',
    text: withRouteLines('set_headers: { content_length: "5" }'),
    problem: /^17:20: .*connection/,
  },
  {
    rule: 'no header of the connection is stripped',
    text: withRouteLines('strip_headers: [Host]'),
    problem: /^17:21: .*connection/,
  },
  {
    rule: 'what the gateway says of the client is its own',
    text: withRouteLines('headers: { X-Forwarded-For: a }'),
    problem: /^17:16: /,
  },
  { rule: 'a header name is a token', text: withRouteLines('headers: { "X Y": a }'), problem: /^17:16: .*header name/ },
  {
    rule: 'a header value has no line break',
    text: withRouteLines('set_headers: { X-A: "a\\nb" }'),
    problem: /^17:25: .*line break/,
  },
  { rule: 'a header value is ASCII', text: withRouteLines('set_headers: { X-A: ü }'), problem: /^17:25: .*ASCII/ },
  {
    rule: '`claim:` names a claim',
    text: withRouteLines('headers: { X-A: "claim:" }'),
    problem: /^17:21: .*claim:tenant/,
  },
  {
    rule: 'X-A and X_A are one header',
    text: withRouteLines('headers: { X-A: a, X_A: b }'),
    problem: /^17:29: .*same header/,
  },
  {
    rule: 'Via is the gateway’s: it tells loops by it',
    text: withRouteLines('set_headers: { via: x }'),
    problem: /^17:20: .*makes it itself/,
  },
  {
    rule: 'an upstream has a port',
    text: bent('http://127.0.0.1:2283', 'http://127.0.0.1:0'),
    problem: /^13:15: .*port 0/,
  },
  {
    rule: 'a header is not set twice',
    text: withRouteLines('headers: { X-A: a }', 'set_headers: { x-a: b }'),
    problem: /^18:20: .*`headers` too/,
  },
  {
    rule: 'an origin is no wildcard',
    text: withRouteLines('cors: { origins: ["*"] }'),
    problem: /^17:23: .*wildcards/,
  },
  {
    rule: 'an origin has no path',
    text: withRouteLines('cors: { origins: ["https://a.example.com/"] }'),
    problem: /^17:23: /,
  },
  { rule: 'an origin is not null', text: withRouteLines('cors: { origins: ["null"] }'), problem: /^17:23: / },
  {
    rule: 'an identity set is known',
    text: withRouteLines('identity: x-user'),
    problem: /^17:15: .*x-auth, remote-user/,
  },
  { rule: 'a timeout is a duration', text: withRouteLines('timeouts: { idle: 5min }'), problem: /^17:23: .*duration/ },
  { rule: 'a timeout is more than nothing', text: withRouteLines('timeouts: { idle: 0s }'), problem: /^17:23: / },
  {
    rule: 'a timeout is what a timer can wait',
    text: withRouteLines('timeouts: { idle: 30d }'),
    problem: /^17:23: .*24d/,
  },
  { rule: 'units of a duration stand in order', text: withRouteLines('timeouts: { idle: 5s1m }'), problem: /^17:23: / },
]

describeCases('Problems: Routes', ROUTES)
