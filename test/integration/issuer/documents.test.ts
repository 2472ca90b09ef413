import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { fetchPublic, isPublicAddress } from '../../../src/issuer/clients/metadata-documents.ts'
import { authorizationAttempt, claimsOf, Person, redeem } from '../../support/issuer/browser-less-person.ts'
import { type IssuerUnderTest, startIssuer } from '../../support/issuer/issuer-under-test.ts'

const clientId = 'https://printer.example.net/client.json'
const redirectUri = 'https://printer.example.net/cb'
const options = { clientId, redirectUri, scope: 'photos:read' }
const documents = new Map<string, unknown>()
const fetched: string[] = []
let issuer: IssuerUnderTest

before(async () => {
  issuer = await startIssuer({
    settings: { clientMetadataDocuments: true },
    fetchDocument: async (url) => {
      fetched.push(url)
      const document = documents.get(url)
      return document === undefined ? new Response(null, { status: 404 }) : Response.json(document)
    },
  })
  await issuer.addPerson('alice', ['photos'])
  put(clientId, {})
})
after(() => issuer.close())

function put(id: string, change: Record<string, unknown>): void {
  documents.set(id, {
    client_id: id,
    client_name: 'Postcard printer',
    redirect_uris: [redirectUri],
    token_endpoint_auth_method: 'none',
    ...change,
  })
}

function open(id: string, uri = redirectUri) {
  const attempt = authorizationAttempt(issuer.url, { ...options, clientId: id, redirectUri: uri })
  return new Person(issuer.url, 'alice').open(attempt.url)
}

describe('client metadata documents', () => {
  it('let a client in by the URL of its document; the page says who published it', async () => {
    const alice = new Person(issuer.url, 'alice')
    const page = await alice.authorize(options, ['nothing on it'])
    assert.match(page.text, /Not verified/)
    assert.match(page.text, /printer\.example\.net/)
    const done = await alice.decide(page, 'approve', ['photos:read'])
    const code = new URL(done.url).searchParams.get('code') ?? ''
    const { body } = await redeem(issuer.url, { code, verifier: page.verifier }, options)
    assert.equal(claimsOf(body.access_token).client_id, clientId)
    assert.equal(typeof body.refresh_token, 'string')
  })

  it('make clients that are listed and revoked like any other', async () => {
    assert.equal((await issuer.store.client(clientId))?.origin, 'document')
    await issuer.acts.revokeClient(clientId, 'test')
    assert.equal((await open(clientId)).status, 400)
    await issuer.acts.restoreClient(clientId, 'test')
    assert.equal((await open(clientId)).status, 200)
  })

  for (const [what, id, change] of [
    ['names another client_id', 'https://a.example.net/1', { client_id: 'https://b.example.net/1' }],
    ['has a secret', 'https://a.example.net/2', { client_secret: 'x' }],
    ['sends people to a script', 'https://a.example.net/3', { redirect_uris: ['javascript:alert(1)'] }],
    ['sends people over plain http', 'https://a.example.net/4', { redirect_uris: ['http://a.example.net/cb'] }],
    ['is for a URL without a path', 'https://a.example.net', {}],
    ['is for a URL with dot segments', 'https://a.example.net/x/../y', {}],
    ['is for a URL with a fragment', 'https://a.example.net/x#y', {}],
    ['is for plain http', 'http://a.example.net/x', {}],
  ] as const) {
    it(`are refused when one ${what}`, async () => {
      put(id, change)
      assert.equal((await open(id)).status, 400)
    })
  }

  it('that are not there are an unknown client', async () => {
    assert.equal((await open('https://nowhere.example.net/x')).status, 400)
  })

  it('are not fetched when routes.yaml has them off', async () => {
    await issuer.reconfigure({ clientMetadataDocuments: false })
    const before = fetched.length
    assert.equal((await open('https://later.example.net/x')).status, 400)
    assert.equal(fetched.length, before)
    await issuer.reconfigure({ clientMetadataDocuments: true })
  })
})

describe('fetching what a stranger named', () => {
  for (const address of [
    '127.0.0.1',
    '10.1.2.3',
    '169.254.169.254',
    '192.168.0.1',
    '172.31.0.1',
    '100.64.0.1',
    '0.0.0.0',
    '255.255.255.255',
    '::1',
    '::',
    '::ffff:127.0.0.1',
    'fe80::1',
    'fd00::1',
    '64:ff9b::7f00:1',
    '2001:db8::1',
    '2002:7f00:1::',
    'not an address',
  ]) {
    it(`never connects to ${address}`, () => assert.equal(isPublicAddress(address), false))
  }

  it('connects to public ones', () => {
    for (const address of ['9.9.9.9', '2620:fe::fe']) assert.equal(isPublicAddress(address), true)
  })

  for (const url of [
    'https://127.0.0.1/x',
    'https://[::1]/x',
    'https://localhost/x',
    'https://2130706433/x',
    'http://example.com/x',
  ]) {
    it(`refuses ${url}`, async () => {
      await assert.rejects(fetchPublic(url))
    })
  }
})
