import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Finding, probeProvider } from '../../../../src/issuer/federation/provider/probe.ts'
import { providerEntry } from '../../../support/issuer/federated-issuer.ts'
import { type KindName, startProvider, type TestProvider } from '../../../support/issuer/identity-provider.ts'

const JSON_TYPE = { 'content-type': 'application/json' }

interface Written {
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: string
}

interface Case {
  readonly rule: string
  readonly kind?: KindName
  readonly more?: string
  readonly bend?: (provider: TestProvider) => void
  readonly entry?: (entry: Written) => Written
  /** What is found, by its name; everything else is good. */
  readonly bad?: Readonly<Record<string, RegExp>>
  readonly good?: Readonly<Record<string, RegExp>>
}

const metadata =
  (change: (body: Record<string, unknown>, provider: TestProvider) => object) =>
  (provider: TestProvider): void => {
    provider.defects.metadata = (body) => ({ ...body, ...change(body, provider) })
  }

const answers =
  (at: string | undefined, status: number, body = '') =>
  (provider: TestProvider): void => {
    provider.defects.instead = (path, response) => {
      if (at !== undefined && path !== at) return false
      response.writeHead(status, JSON_TYPE).end(body)
      return true
    }
  }

const CASES: readonly Case[] = [
  { rule: 'a good one', good: { 'client and secret': /^accepted; .*\(invalid_grant/, scopes: /offline_access$/ } },
  {
    rule: 'an issuer that differs by its slash: both are shown',
    bend: metadata((_body, { issuer }) => ({ issuer: issuer.replace(/\/$/, '') })),
    bad: { metadata: /issuer_mismatch: the file has http\S+\/gate\/, its metadata says http\S+\/gate:/ },
  },
  {
    rule: 'a realm that is not there',
    kind: 'keycloak',
    bend: answers(undefined, 404, '{"error":"Realm does not exist"}'),
    bad: { metadata: /\/realms\/home\/\S+: discovery answers with 404: is the address right/ },
  },
  {
    rule: 'nothing listens',
    entry: (entry) => ({ ...entry, issuer: 'http://127.0.0.1:9/application/o/gate/' }),
    bad: { metadata: /can't be reached \(ECONNREFUSED\): nothing listens there; `connect\.address`/ },
  },
  {
    rule: 'HS256 alone',
    bend: metadata(() => ({ id_token_signing_alg_values_supported: ['HS256'] })),
    bad: { metadata: /alg_hs256: .*"Signing Key"/ },
  },
  {
    rule: 'an encryption key at authentik',
    bend: metadata(() => ({ id_token_encryption_alg_values_supported: ['RSA-OAEP-256'] })),
    bad: { encryption: /"Encryption Key"/ },
  },
  {
    rule: 'an endpoint without TLS: which, and what it is',
    kind: 'pocket-id',
    bend: metadata(() => ({ jwks_uri: 'http://pocket-id:1411/jwks' })),
    bad: { metadata: /jwks_uri in its metadata must be an https URL, and is http:\/\/pocket-id:1411\/jwks/ },
  },
  { rule: 'no keys', bend: answers('/jwks', 500), bad: { keys: /\/jwks: answered with 500/ } },
  { rule: 'keys that are none', bend: answers('/jwks', 200, '[]'), bad: { keys: /does not answer with keys/ } },
  { rule: 'a token endpoint that fails', bend: answers('/token', 500), bad: { 'client and secret': /\/token: .*500/ } },
  {
    rule: 'a wrong client id',
    entry: (entry) => ({ ...entry, clientId: 'nobody' }),
    bad: { 'client and secret': /refused \(invalid_client.*compare client_id and client_secret/ },
  },
  {
    rule: 'a request that is refused, and no client: its own words',
    bend: answers(
      '/token',
      400,
      '{"error":"invalid_request","error_description":"Invalid or expired code parameter."}',
    ),
    good: { 'client and secret': /^not refused; .*\(invalid_request: Invalid or expired code parameter\.\)/ },
  },
  {
    rule: 'no userinfo where groups are to come from there',
    kind: 'authelia',
    more: 'preset: authelia',
    bend: metadata(() => ({ userinfo_endpoint: undefined })),
    bad: { userinfo: /missing, and groups are to come from there/ },
  },
  { rule: 'userinfo that fails', bend: answers('/me', 502), bad: { userinfo: /\/me: answered with 502/ } },
  {
    rule: 'nowhere to sign out, though the file wants it',
    more: 'sign_out: provider',
    bend: metadata(() => ({ end_session_endpoint: undefined })),
    bad: { 'sign-out': /`sign_out: provider` needs one/ },
  },
  {
    rule: 'offline_access that is not assigned, and what follows',
    bend: metadata(() => ({ scopes_supported: ['openid', 'profile', 'email'] })),
    good: { scopes: /does not list offline_access: .*without a refresh token a sign-in lasts `without_recheck`/ },
  },
  {
    rule: 'Keycloak with offline_access: no logout tokens, and how to get them',
    kind: 'keycloak',
    good: {
      'logout tokens': /^none: .*offline_access.*asked next.*60 s.*`scopes: \[openid, profile, email\]` gets them/,
    },
  },
  {
    rule: 'Keycloak without it: sign-ins end with the session there',
    kind: 'keycloak',
    more: 'scopes: [openid, profile, email]',
    good: { 'logout tokens': /^sent, and sign-ins end with the session there/ },
  },
  {
    rule: 'one whose metadata tell of no logout tokens',
    more: 'recheck: 30s',
    bend: metadata(() => ({ backchannel_logout_supported: undefined })),
    good: { 'logout tokens': /^none that its metadata tell of: .*30 s/ },
  },
]

describe('what `provider test` finds', () => {
  for (const {
    rule,
    kind = 'authentik',
    more = '',
    bend,
    entry = (each: Written) => each,
    bad = {},
    good = {},
  } of CASES) {
    it(rule, async () => {
      const provider = await startProvider({ kind, callback: '*' })
      try {
        bend?.(provider)
        const { issuer, clientId, clientSecret } = provider
        const written = entry({ issuer, clientId, clientSecret })
        const findings = await probeProvider(providerEntry(written, more), 'https://gate.example.com/callback')
        const wrong = findings.filter((finding) => !finding.good)
        assert.deepEqual(
          wrong.map(({ what }) => what),
          Object.keys(bad),
        )
        const detailOf = (what: string): string => findings.find((each: Finding) => each.what === what)?.detail ?? ''
        for (const [what, text] of Object.entries({ ...bad, ...good })) assert.match(detailOf(what), text)
        assert.ok(!JSON.stringify(findings).includes(clientSecret))
      } finally {
        await provider.close()
      }
    })
  }
})
