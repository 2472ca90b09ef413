import assert from 'node:assert/strict'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { after, before, beforeEach, describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { claimsOf, type Page, redeem } from '../../../support/issuer/browser-less-person.ts'
import { authorizeBy, providerEntry, traveller } from '../../../support/issuer/federated-issuer.ts'
import { startProvider, type TestProvider } from '../../../support/issuer/identity-provider.ts'
import { type IssuerUnderTest, startIssuer } from '../../../support/issuer/issuer-under-test.ts'

const APP = { clientId: 'cli', redirectUri: 'http://127.0.0.1:7001/cb' }
const JSON_TYPE = { 'content-type': 'application/json' }

let gate: IssuerUnderTest
let provider: TestProvider
let count = 0
let sub = ''

before(async () => {
  gate = await startIssuer()
  provider = await startProvider({ kind: 'authentik', callback: '*' })
  await gate.addClient({ id: 'cli', type: 'native', redirectUris: [APP.redirectUri] })
})
after(async () => {
  await gate.close()
  await provider.close()
})
beforeEach(async () => {
  count += 1
  sub = `guest-${count}`
  provider.setAccount({ sub, username: sub, groups: ['photos'] })
  provider.person = sub
  Object.assign(provider.defects, { token: undefined, metadata: undefined, instead: undefined, callback: undefined })
  // Another name each time, so that nothing of the provider is remembered.
  await gate.reconfigure({ providers: [providerEntry(provider, `name: "Home ${count}"`)] })
})

type Answering = (response: ServerResponse, request: IncomingMessage) => void

/** Answers in the provider's stead at one path. */
function answerAt(at: string, answering: Answering): void {
  provider.defects.instead = (path, response, request) => {
    if (path !== at) return false
    answering(response, request)
    return true
  }
}

const authorize = () =>
  authorizeBy(traveller(gate.url, provider), { ...APP, scope: 'photos:read', resource: gate.photos })

/** Why the page says that nobody was let in; '' when somebody was. */
async function refusal(): Promise<string> {
  const answer = await authorize()
  return answer.code === '' ? reasonOf(answer) : ''
}

const reasonOf = (page: Pick<Page, 'text'>): string =>
  /provider_\w+|\w+_\w+(?=\)|<\/code>)/.exec(page.text)?.[0] ?? page.text
const detailOf = (): unknown => gate.events.filter(({ event }) => event === 'federation.refused').at(-1)?.detail.detail
const metadata = async (): Promise<Record<string, unknown>> => {
  const url = `${provider.issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  return (await (await fetch(url)).json()) as Record<string, unknown>
}

describe('metadata', () => {
  const WELL_KNOWN = '/.well-known/openid-configuration'
  it('that are not there are silence and not another issuer, whatever the error looks like', async () => {
    answerAt(WELL_KNOWN, (response) => response.writeHead(404, JSON_TYPE).end('{"error":"Realm does not exist"}'))
    assert.equal(await refusal(), 'provider_unreachable')
    assert.match(String(detailOf()), /discovery answers with 404/)
  })
  it('are read with a BOM before them, any type, and the last of two members', async () => {
    const read = await metadata()
    const text = `\ufeff{"issuer":"https://other.example.com",${JSON.stringify(read).slice(1)}`
    answerAt(WELL_KNOWN, (response) => response.writeHead(200, { 'content-type': 'text/plain' }).end(text))
    assert.equal(await refusal(), '')
  })
  for (const [what, text] of [
    ['a list', '[]'],
    ['null', 'null'],
    ['a text', '"x"'],
    ['half of it', '{"issuer":'],
    ['nothing', ''],
  ] as const) {
    it(`that are ${what} are silence`, async () => {
      answerAt(WELL_KNOWN, (response) => response.writeHead(200, JSON_TYPE).end(text))
      assert.equal(await refusal(), 'provider_unreachable')
    })
  }
  for (const [name, value] of [
    ['authorization_endpoint', 'javascript:alert(1)'],
    ['token_endpoint', 'http://192.168.1.5/token'],
    ['jwks_uri', undefined],
    ['userinfo_endpoint', '/userinfo'],
    ['end_session_endpoint', 'ftp://sso.example.com/end'],
    ['revocation_endpoint', 5],
  ] as const) {
    it(`whose ${name} is ${value} can’t be used, and the log says which`, async () => {
      provider.defects.metadata = (body) => ({ ...body, [name]: value })
      assert.equal(await refusal(), 'provider_misconfigured')
      assert.match(String(detailOf()), new RegExp(`${name} in its metadata must be an https URL`))
    })
  }
})

describe('the token endpoint’s answer', () => {
  const packed =
    (fill: string): Answering =>
    (response) =>
      void response.writeHead(200, { ...JSON_TYPE, 'content-encoding': 'gzip' }).end(gzipSync(fill))
  const odd: readonly (readonly [string, Answering, string])[] = [
    [
      'a page',
      (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<p>'),
      'provider_unreachable',
    ],
    ['a list', (response) => response.writeHead(200, JSON_TYPE).end('[]'), 'provider_unreachable'],
    ['packed, though nobody asked for that', packed('{}'), 'provider_unreachable'],
    ['packed, 50 MB of zeros', packed('0'.repeat(50_000_000)), 'provider_unreachable'],
    ['without tokens', (response) => response.writeHead(200, JSON_TYPE).end('{}'), 'provider_unreachable'],
    ['a redirect', (response) => response.writeHead(307, { location: '/' }).end(), 'provider_unreachable'],
    ['429', (response) => response.writeHead(429).end(), 'provider_unreachable'],
    [
      'an error with 200',
      (response) => response.writeHead(200, JSON_TYPE).end('{"error":"bad"}'),
      'provider_unreachable',
    ],
    [
      'invalid_client twice',
      (response) => response.writeHead(401, JSON_TYPE).end('{"error":"invalid_client"}'),
      'provider_misconfigured',
    ],
  ]
  for (const [what, answering, reason] of odd) {
    it(`${what} lets nobody in`, async () => {
      answerAt('/token', answering)
      assert.equal(await refusal(), reason)
      assert.equal(await gate.store.providerLink(provider.issuer, sub), undefined)
      provider.defects.instead = undefined
      assert.equal(await refusal(), '')
    })
  }
  it('says `null` for what is not there: as if it said nothing', async () => {
    provider.defects.token = (body) => ({
      ...body,
      refresh_token: null,
      scope: null,
      expires_in: null,
      id_token: body.id_token,
    })
    assert.equal(await refusal(), '')
    provider.defects.token = (body) => ({ ...body, id_token: null })
    assert.equal(await refusal(), 'id_token_invalid')
  })
  it('says how somebody signed in in words that no token could hold: left out', async () => {
    for (const [acr, amr] of [
      ['a\u0000b', ['pwd', 'a\u0000b', 5, '']],
      ['\ud800', ['pwd', '\ud800', 'x'.repeat(65)]],
      ['', 'pwd'],
    ] as const) {
      provider.defects.token = async (body) => ({
        ...body,
        id_token: await provider.sign({ ...claimsOf(String(body.id_token)), acr, amr }),
      })
      const { body } = await redeem(gate.url, await authorize(), APP)
      const claims = claimsOf(body.access_token)
      assert.deepEqual([claims.acr, claims.amr], [undefined, amr === 'pwd' ? undefined : ['pwd']])
    }
  })
  it('41 a secret that is a word of the error is no other error', async () => {
    const entry = providerEntry({ ...provider, clientSecret: 'invalid' }, `name: "Home ${count}"`)
    await gate.reconfigure({ providers: [entry] })
    assert.equal(await refusal(), 'provider_misconfigured')
    assert.match(String(detailOf()), /^invalid_client: /)
  })
  it('that drips is silence after 5 s', { timeout: 20_000 }, async () => {
    const timers: NodeJS.Timeout[] = []
    answerAt('/token', (response) => {
      response.writeHead(200, JSON_TYPE)
      timers.push(setInterval(() => response.write(' '), 100))
    })
    const begunMs = performance.now()
    assert.equal(await refusal(), 'provider_unreachable')
    assert.ok(performance.now() - begunMs < 10_000)
    for (const timer of timers) clearInterval(timer)
  })
  it('41 an error that says again what it was sent leaves none of it in the log', async () => {
    const sent: string[] = []
    answerAt('/token', (response, request) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk) => chunks.push(chunk))
      request.on('end', () => {
        const form = new URLSearchParams(Buffer.concat(chunks).toString())
        sent.push(form.get('code') ?? '', form.get('code_verifier') ?? '', provider.clientSecret)
        const words = `${[...form].join(' ')} ${provider.clientSecret} alice@home.example`
        response.writeHead(400, JSON_TYPE).end(JSON.stringify({ error: 'invalid_grant', error_description: words }))
      })
    })
    assert.equal(await refusal(), 'provider_unreachable')
    assert.match(String(detailOf()), /\(secret\)/)
    const told = JSON.stringify([gate.events, await gate.store.audits(50)])
    assert.equal(sent.length, 3)
    for (const secret of [...sent, 'alice@home.example']) assert.ok(!told.includes(secret), secret.slice(0, 6))
  })
})

describe('userinfo', () => {
  it('that is signed is taken only with a good signature; of another person never', async () => {
    const signed = async (claims: Record<string, unknown>, spoil = '') => {
      const token = await provider.sign({ iss: provider.issuer, aud: 'gate', ...claims })
      answerAt('/me', (response) =>
        response.writeHead(200, { 'content-type': 'application/jwt' }).end(`${token}${spoil}`),
      )
    }
    await signed({ sub, groups: ['photos'] }, 'x')
    assert.equal(await refusal(), 'id_token_invalid')
    await signed({ sub: 'somebody-else', groups: ['photos'] })
    assert.equal(await refusal(), 'id_token_invalid')
    await signed({ sub, groups: ['photos'] })
    assert.equal(await refusal(), '')
  })
})
