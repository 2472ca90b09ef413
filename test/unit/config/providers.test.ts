import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { IdentityProvider } from '../../../src/core/identity-provider.ts'
import { type Case, configOf, describeCases, problemsOf, withTopLines } from './files.ts'

/** A file whose providers are these entries, each as YAML in one line, from line 4 on. */
function withProviders(...entries: readonly string[]): string {
  return withTopLines('issuer:', '  providers:', ...entries.map((entry) => `    - ${entry}`))
}

/** One entry with the three lines that every provider needs, and more. */
function entry(issuer: string, more = ''): string {
  return `{ issuer: "${issuer}", client_id: gate, client_secret: s3cret${more === '' ? '' : `, ${more}`} }`
}

function providerOf(issuer: string, more = ''): IdentityProvider {
  const { issuer: read } = configOf(withProviders(entry(issuer, more)))
  assert.ok(read.kind === 'embedded')
  const [provider] = read.providers
  assert.ok(provider !== undefined)
  return provider
}

const TENANT = 'https://login.microsoftonline.com/8d1a2f5c-0000-4000-8000-0123456789ab/v2.0'
const SSO = 'https://sso.example.com'

describe('the preset is taken by the form of the issuer, or said', () => {
  const rows: readonly (readonly [string, string, string])[] = [
    ['https://sso.example.com/application/o/gate/', '', 'authentik'],
    ['https://sso.example.com/realms/home', '', 'keycloak'],
    ['https://acme.zitadel.cloud', '', 'zitadel'],
    ['https://zitadel.cloud.example.com', '', 'generic'],
    [SSO, 'preset: authelia', 'authelia'],
    [SSO, 'preset: pocket-id', 'pocket-id'],
    [TENANT, '', 'entra'],
    ['https://accounts.google.com', 'allow: { hosted_domains: [example.com] }', 'google'],
    ['https://gitlab.com', 'allow: { groups: [acme] }', 'gitlab'],
    ['https://acme.okta.com', '', 'okta'],
    ['https://acme.eu.auth0.com/', 'groups: { claim: "https://example.com/groups" }', 'auth0'],
    ['https://idm.example.com/oauth2/openid/gate', '', 'kanidm'],
    [SSO, '', 'generic'],
    ['https://sso.example.com/realms/home', 'preset: generic', 'generic'],
    ['https://SSO.Example.com:8443/auth/sub/application/o/gate', '', 'authentik'],
    ['https://sso.example.com/application/opaque/', '', 'generic'],
    ['https://sso.example.com:8443/auth/realms/home/', '', 'keycloak'],
    ['https://sso.example.com/Realms/home', '', 'generic'],
    ['https://ACME.Zitadel.Cloud:443/', '', 'zitadel'],
    ['https://LOGIN.microsoftonline.com/8d1a2f5c-0000-4000-8000-0123456789AB/v2.0', '', 'entra'],
    ['https://acme.okta.com:8443/oauth2/default', '', 'okta'],
    ['https://okta.com.example.com', '', 'generic'],
    ['https://notokta.com', '', 'generic'],
    ['https://gitlab.com.example.com', '', 'generic'],
    ['https://git.example.com/sub/', 'preset: gitlab', 'gitlab'],
    ['https://idm.example.com:8443/oauth2/openid/gate/', '', 'kanidm'],
    ['http://127.0.0.2:9000/application/o/gate/', '', 'authentik'],
    ['http://[::1]:9000/realms/home', '', 'keycloak'],
  ]
  for (const [issuer, more, preset] of rows) {
    it(`${issuer} ${more}`, () => assert.equal(providerOf(issuer, more).preset, preset))
  }
  it('and gives what the file leaves out', () => {
    const kanidm = providerOf('https://idm.example.com/oauth2/openid/gate')
    assert.deepEqual(kanidm.scopes, ['openid', 'profile', 'email', 'groups_name'])
    assert.deepEqual(kanidm.groups?.claims, ['groups_name', 'groups'])
    const entra = providerOf(TENANT)
    assert.deepEqual([entra.person, entra.groups?.claims, entra.groups?.from], ['oid', ['roles'], 'id_token'])
    const google = providerOf('https://accounts.google.com', 'allow: { anyone: true }')
    assert.deepEqual([google.groups, google.username], [undefined, { claim: 'email', suffix: '@google' }])
    assert.equal(providerOf(SSO, 'groups: { claim: realm_access.roles, map: { a: b } }').groups?.take, 'mapped')
    assert.equal(providerOf(SSO, 'groups: { claim: false }').groups, undefined)
    assert.deepEqual(
      [google.recheckSeconds, google.onUnreachableSeconds, google.withoutRecheckSeconds],
      [60, 3600, 43_200],
    )
  })
})

describe('times', () => {
  const bounds: readonly (readonly [
    string,
    'recheckSeconds' | 'onUnreachableSeconds' | 'withoutRecheckSeconds',
    Record<string, number>,
    readonly string[],
  ])[] = [
    ['recheck', 'recheckSeconds', { '10s': 10, '15m': 900, '90s': 90 }, ['9s', '16m', '901s', '0s', '1h', '10', '-1m']],
    [
      'on_unreachable',
      'onUnreachableSeconds',
      { '0s': 0, '0m': 0, '1s': 1, '24h': 86_400, '1d': 86_400 },
      ['25h', '86401s', 'off'],
    ],
    [
      'without_recheck',
      'withoutRecheckSeconds',
      { '5m': 300, '30d': 2_592_000, '720h': 2_592_000 },
      ['4m', '299s', '31d', '0s'],
    ],
  ]
  for (const [key, field, good, bad] of bounds) {
    it(`${key} keeps its bounds, and says them`, () => {
      for (const [text, seconds] of Object.entries(good)) {
        assert.equal(providerOf(SSO, `${key}: ${text}`)[field], seconds, text)
      }
      for (const text of bad) {
        assert.match(problemsOf(withProviders(entry(SSO, `${key}: "${text}"`))).join('\n'), /^4:\d+: /, text)
      }
    })
  }
})

const CASES: readonly Case[] = [
  {
    rule: 'google needs allow whatever preset it is said to be',
    text: withProviders(entry('https://accounts.google.com', 'preset: generic')),
    problem: /^4:7: `allow` is missing.*`hosted_domains`/,
  },
  {
    rule: 'so does the tenant of everybody’s own accounts',
    text: withProviders(entry('https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0')),
    problem: /^4:7: `allow` is missing.*`tenants`/,
  },
  {
    rule: 'an empty list allows nobody in particular',
    text: withProviders(entry('https://gitlab.com', 'allow: { groups: [] }')),
    problem: /`allow` is missing/,
  },
  {
    rule: '`anyone` stands alone',
    text: withProviders(entry('https://gitlab.com', 'allow: { anyone: true, groups: [a] }')),
    problem: /`anyone` and a list beside it/,
  },
  {
    rule: 'groups can’t be asked of whom says nothing about them',
    text: withProviders(entry(SSO, 'groups: { claim: false }, allow: { groups: [a] }')),
    problem: /nobody could sign in/,
  },
  {
    rule: 'a hosted domain is a domain',
    text: withProviders(entry('https://accounts.google.com', 'allow: { hosted_domains: ["@example.com"] }')),
    problem: /must be a domain/,
  },
  {
    rule: 'an issuer has no query, fragment or user',
    text: withProviders(
      entry(`${SSO}?a=b`, 'id: a, groups: { take: all }'),
      entry('https://u@sso.example.com', 'groups: { take: all }'),
    ),
    problem: /^4:17: .*query.*\n5:17: .*user name/,
  },
  {
    rule: 'the three lines must be there',
    text: withProviders(`{ issuer: "${SSO}" }`),
    problem: /^4:7: .*client_id` is missing\n4:7: .*client_secret` is missing/,
  },
  {
    rule: 'a secret is not empty',
    text: withProviders(`{ issuer: "${SSO}", client_id: a, client_secret: "" }`),
    problem: /^4:\d+: /,
  },
  {
    rule: 'a preset is one of those known',
    text: withProviders(entry(SSO, 'preset: autentik')),
    problem: /must be one of: authentik/,
  },
  {
    rule: 'a group of ours has at most 64 characters',
    text: withProviders(entry(SSO, `groups: { map: { a: ${'x'.repeat(65)} } }`)),
    problem: /must be a group/,
  },
  {
    rule: 'a prefix has no comma',
    text: withProviders(entry(SSO, 'groups: { prefix: "a,b" }')),
    problem: /without comma/,
  },
  {
    rule: 'a mistyped key is named',
    text: withProviders(entry(SSO, 'recheck_after: 1m')),
    problem: /unknown key `recheck_after`/,
  },
  {
    rule: 'two providers that name groups each say which of them count',
    text: withProviders(entry(`${SSO}/realms/a`, 'id: a'), entry(`${SSO}/realms/b`, 'id: b')),
    problem: /^4:7: `groups.take` is missing.*\n5:7: `groups.take` is missing/,
  },
  {
    rule: 'google needs allow',
    text: withProviders(entry('https://accounts.google.com')),
    problem: /^4:7: `allow` is missing: anybody can have an account there/,
  },
  {
    rule: 'gitlab.com needs allow',
    text: withProviders(entry('https://gitlab.com')),
    problem: /^4:7: `allow` is missing/,
  },
  {
    rule: 'Entra without a tenant id needs allow',
    text: withProviders(entry('https://login.microsoftonline.com/common/v2.0')),
    problem: /^4:7: `allow` is missing.*`tenants`/,
  },
  {
    rule: 'auth0 needs the name of its claim',
    text: withProviders(entry('https://acme.auth0.com/')),
    problem: /^4:7: `groups.claim` is missing/,
  },
  {
    rule: 'an id is for one provider',
    text: withProviders(
      entry(`${SSO}/realms/a`, 'groups: { take: all }'),
      entry(`${SSO}/realms/b`, 'groups: { take: all }'),
    ),
    problem: /^5:7: has the same `id` as the provider in line 4/,
  },
  {
    rule: 'an issuer stands once',
    text: withProviders(entry(SSO, 'id: a, groups: { take: all }'), entry(SSO, 'id: b, groups: { take: all }')),
    problem: /^5:17: the same issuer stands in line 4/,
  },
  {
    rule: 'an issuer is https but for loopback',
    text: withProviders(entry('http://sso.example.com')),
    problem: /^4:17: .*must be https/,
  },
  { rule: 'an id has its form', text: withProviders(entry(SSO, 'id: Home')), problem: /must be 1 to 32 characters/ },
  { rule: 'recheck has bounds', text: withProviders(entry(SSO, 'recheck: 5s')), problem: /must be from 10s to 15m/ },
  {
    rule: 'without_recheck has bounds',
    text: withProviders(entry(SSO, 'without_recheck: 31d')),
    problem: /must be from 5m to 30d/,
  },
  { rule: 'an address has a port', text: withProviders(entry(SSO, 'connect: { address: sso }')), problem: /host:port/ },
  {
    rule: 'nobody could sign in without password and without providers',
    text: withTopLines('issuer: { password: off }'),
    problem: /^2:21: `password: off` needs `issuer.providers`/,
  },
  {
    rule: 'there are at most 16 providers',
    text: withProviders(
      ...Array.from({ length: 17 }, (_, n) => entry(`${SSO}/${n}`, `id: p${n}, groups: { take: all }`)),
    ),
    problem: /must not have more than 16 entries/,
  },
  {
    rule: 'providers stand beside no upstream',
    text: withTopLines('issuer: { upstream: "https://other.example.com", providers: [] }'),
    problem: /unknown key `providers`/,
  },
]
describeCases('what a provider needs', CASES)

describe('a provider is warned of', () => {
  const warningsOf = (text: string): string =>
    configOf(text)
      .warnings.map(({ line, message }) => `${line}: ${message}`)
      .join('\n')
  it('where an address that nobody has verified enters tokens', () => {
    assert.match(warningsOf(withProviders(entry(SSO, 'email: as_sent'))), /^4: an address that nobody has verified/)
  })
  it('where everybody may come in', () => {
    const text = withProviders(entry('https://accounts.google.com', 'allow: { anyone: true }'))
    assert.match(warningsOf(text), /^4: everybody in the world/)
  })
  it('where the authority that it is to be known by is not there', () => {
    const text = withProviders(entry(SSO, 'connect: { ca: certs/nowhere.pem }'))
    assert.match(warningsOf(text), /^4: `certs\/nowhere\.pem` does not exist: nobody can sign in at this provider/)
  })
  it('where it is the only way in', () => {
    const text = withTopLines('issuer:', '  password: off', '  providers:', `    - ${entry(SSO)}`)
    assert.match(warningsOf(text), /^3: while the only provider is down/)
  })
  it('and not otherwise', () => assert.doesNotMatch(warningsOf(withProviders(entry(SSO))), /^4:/m))
})

describe('a provider', () => {
  it('may have its metadata behind a query, and is given no administrators', () => {
    const discovery = 'https://id.example.com/.well-known/openid-configuration?p=policy'
    assert.equal(providerOf(SSO, `discovery: "${discovery}"`).discovery, discovery)
    assert.deepEqual(providerOf(SSO).groups?.reserved, ['admins'])
    const ops = configOf(`${withProviders(entry(SSO))}\nadmin: { groups: [ops, staff] }\n`).issuer
    assert.ok(ops.kind === 'embedded')
    assert.deepEqual(ops.providers[0]?.groups?.reserved, ['ops', 'staff'])
  })
  it('may say nothing for nothing: `on_unreachable: 0s`', () => {
    assert.equal(providerOf(SSO, 'on_unreachable: 0s').onUnreachableSeconds, 0)
  })
  it('never shows its secret in a problem', () => {
    const text = withProviders(`{ issuer: "${SSO}", client_id: gate, client_secret: "\${SECRET}", nope: 1 }`)
    assert.doesNotMatch(problemsOf(text, { SECRET: 'hunter2hunter2' }).join('\n'), /hunter2/)
  })
})
