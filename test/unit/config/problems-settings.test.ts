import { bent, type Case, describeCases, withTopLines } from './files.ts'

const TRUSTED = 'trusted_issuers: [{ issuer: https://sso.example.com, algorithms: [RS256]'

const VALUES: readonly Case[] = [
  {
    rule: 'public_url is needed',
    text: bent('public_url: https://gate.example.com\n', ''),
    problem: /^1:1: `public_url` is missing/,
  },
  {
    rule: 'public_url is https but for loopback',
    text: bent('https://gate', 'http://gate'),
    problem: /^1:13: .*must be https/,
  },
  {
    rule: 'public_url has no path',
    text: bent('gate.example.com\n', 'gate.example.com/app\n'),
    problem: /^1:13: .*no path/,
  },
  { rule: 'public_url has no user', text: bent('https://gate', 'https://u:p@gate'), problem: /^1:13: .*user name/ },
  {
    rule: 'public_url has no backslash',
    text: bent('https://gate', 'https:\\\\gate'),
    problem: /^1:13: .*plain ASCII/,
  },
  { rule: 'listen is host:port', text: withTopLines('listen: 8080'), problem: /^2:9: .*host:port/ },
  { rule: 'a port is at most 65535', text: withTopLines('listen: localhost:65536'), problem: /^2:9: .*host:port/ },
  { rule: 'an IPv6 address has brackets', text: withTopLines('listen: "::1:8080"'), problem: /^2:9: .*brackets/ },
  {
    rule: 'management is a listener of its own',
    text: withTopLines('management: localhost:8080'),
    problem: /^2:13: .*its own/,
  },
  {
    rule: 'management is not on the public listener under another name',
    text: withTopLines('management: 127.0.0.1:8080'),
    problem: /^2:13: .*its own/,
  },
  {
    rule: 'management is not within the public listener',
    text: withTopLines('listen: :8080', 'management: 127.0.0.1:8080'),
    problem: /^3:13: .*its own/,
  },
  {
    rule: 'a network has no more bits than an address',
    text: withTopLines('trusted_proxies: [10.0.0.0/33]'),
    problem: /^2:19: /,
  },
  { rule: 'a network is no name', text: withTopLines('trusted_proxies: [proxy]'), problem: /^2:19: / },
  { rule: 'a store is sqlite', text: withTopLines('store: postgres://db'), problem: /^2:8: .*sqlite:PATH/ },
  {
    rule: 'a store outlives the process',
    text: withTopLines('store: "sqlite::memory:"'),
    problem: /^2:8: .*sqlite:PATH/,
  },
  { rule: 'access_log is a word', text: withTopLines('access_log: some'), problem: /^2:13: .*all, refused, off/ },
  { rule: 'max_connections is a number', text: withTopLines('max_connections: 0'), problem: /^2:18: .*1 to 1000000/ },
  { rule: 'a key needs a value', text: withTopLines('issuer:'), problem: /^2:8: `issuer` has no value/ },
  { rule: 'a duration has a unit', text: withTopLines('issuer: { access_token_ttl: 5 }'), problem: /^2:29: / },
  {
    rule: 'a life is whole seconds',
    text: withTopLines('issuer: { access_token_ttl: 500ms }'),
    problem: /whole seconds/,
  },
  {
    rule: 'an access token lives a day at most',
    text: withTopLines('issuer: { access_token_ttl: 2d }'),
    problem: /longer than 1d/,
  },
  {
    rule: 'idle is within the absolute life',
    text: withTopLines('issuer: { refresh_token_ttl: 200d }'),
    problem: /refresh_token_max/,
  },
  {
    rule: 'only known algorithms sign',
    text: withTopLines('issuer: { signing_alg: HS256 }'),
    problem: /ES256, RS256, EdDSA/,
  },
  { rule: 'issuer is no `true`', text: withTopLines('issuer: true'), problem: /^2:9: .*false, or a map/ },
  {
    rule: 'upstream stands alone',
    text: withTopLines('issuer: { upstream: "http://10.0.0.5:8080", signing_alg: ES256 }'),
    problem: /^2:45: unknown key `signing_alg` in `issuer`/m,
  },
  {
    rule: 'algorithms are required',
    text: withTopLines('trusted_issuers: [{ issuer: https://sso.example.com }]'),
    problem: /^2:19: .*algorithms` is missing/,
  },
  {
    rule: 'no HMAC',
    text: withTopLines('trusted_issuers: [{ issuer: https://sso.example.com, algorithms: [HS256] }]'),
    problem: /^2:67: .*HMAC/,
  },
  {
    rule: 'no `none`',
    text: withTopLines('trusted_issuers: [{ issuer: https://sso.example.com, algorithms: [none] }]'),
    problem: /^2:67: .*none/,
  },
  {
    rule: 'jwks_uri is https but for loopback',
    text: withTopLines(`${TRUSTED}, jwks_uri: "http://sso.example.com/k" }]`),
    problem: /must be https/,
  },
  {
    rule: 'an issuer elsewhere is https unless the file says insecure_http',
    text: withTopLines('trusted_issuers: [{ issuer: "http://sso.internal", algorithms: [RS256] }]'),
    problem: /^2:29: .*must be https.*insecure_http: true/,
  },
  {
    rule: 'token_type is of three words',
    text: withTopLines(`${TRUSTED}, token_type: [jwt, at-jwt] }]`),
    problem: /token_type/,
  },
  { rule: 'token_type names something', text: withTopLines(`${TRUSTED}, token_type: [] }]`), problem: /token_type/ },
  {
    rule: 'one source of keys',
    text: withTopLines(`${TRUSTED}, jwks_uri: "https://a.example.com", jwks_file: k.json }]`),
    problem: /not both/,
  },
  {
    rule: 'an issuer stands once',
    text: withTopLines(`${TRUSTED} }, { issuer: https://sso.example.com, algorithms: [RS256] }]`),
    problem: /same issuer stands in line 2/,
  },
  {
    rule: 'the own issuer is no foreign one',
    text: withTopLines('trusted_issuers: [{ issuer: https://gate.example.com, algorithms: [ES256] }]'),
    problem: /^2:29: /,
  },
]

describeCases('Problems: Settings and issuers', VALUES)
