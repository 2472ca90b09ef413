import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { OAuthTokens } from '@modelcontextprotocol/sdk/shared/auth.js'
import { addClient } from '../../../src/issuer/clients/clients.ts'
import {
  type Answered,
  type Arrived,
  addPeople,
  type BrowserGateway,
  basic,
  FETCH,
  Jar,
  PAGE,
  startBrowserGateway,
  type UpstreamAnswer,
} from '../../support/browser-gateway.ts'
import { startGateway, type TestGateway, until } from '../../support/gateway-under-test.ts'
import { appPassword, get } from '../../support/issuer/app-password.ts'
import { authorizationAttempt, formsOf, type Page, Person, redeem } from '../../support/issuer/browser-less-person.ts'
import { answer, askedOn, press } from '../../support/issuer/passkey-person.ts'
import { SoftwarePasskey } from '../../support/issuer/software-passkey.ts'
import { freePorts } from '../../support/programs/free-ports.ts'
import { look, photosFile } from '../../support/split-audgate.ts'
import { listenOnLoopback } from '../../support/upstreams.ts'

const CALLBACK = 'http://127.0.0.1/callback'
const FEED = { AUDGATE_FEED_TOKEN: 'a-feed-token-that-is-long-enough' }
const clock = { aheadMs: 0 }
const now = () => Date.now() + clock.aheadMs

/** The photos, where `/private` needs the level `mfa` and `/fresh` a sign-in of the last minute, and tools that do. */
function withLevels(yaml: string, url: string, upstream: string): string {
  const rules = `rules:
      - { methods: [read], paths: [/private/**], scopes: ["photos:read"], acr: mfa }
      - { methods: [read], paths: [/fresh/**], scopes: ["photos:read"], max_age: 1m }`
  const tools = `resources:
  - { id: "${url}/mcp", name: Tools, scopes: { "tools:use": Use }, grants: [{ groups: [photos], scopes: ["tools:use"] }] }`
  return `${yaml.replace('rules:', rules).replace('resources:', tools)}
  - id: tools
    host: localhost
    path: /mcp
    resource: ${url}/mcp
    upstream: ${upstream}
    rules:
      - { methods: [POST], scopes: ["tools:use"], max_age: 1m }
      - { methods: [any], scopes: ["tools:use"] }
`
}

/** A server of tools that knows one method more than it must. */
function tools({ method, url, body }: Arrived): UpstreamAnswer | undefined {
  if (!url.startsWith('/mcp')) return undefined
  if (method !== 'POST') return { status: 405 }
  const asked = JSON.parse(body)
  if (asked.id === undefined) return { status: 202 }
  const hello = {
    protocolVersion: asked.params?.protocolVersion,
    capabilities: {},
    serverInfo: { name: 't', version: '1' },
  }
  const result = asked.method === 'initialize' ? hello : {}
  return { body: JSON.stringify({ jsonrpc: '2.0', id: asked.id, result }) }
}

/** What the SDK's client keeps, and where it sends the browser. */
class Kept {
  readonly redirectUrl = CALLBACK
  readonly clientMetadata = { redirect_uris: [CALLBACK] }
  readonly sentTo: URL[] = []
  readonly forgotten: string[] = []
  readonly #id: string
  #tokens: OAuthTokens | undefined
  #verifier = ''
  constructor(id: string) {
    this.#id = id
  }
  clientInformation() {
    return { client_id: this.#id }
  }
  tokens() {
    return this.#tokens
  }
  saveTokens(tokens: OAuthTokens) {
    this.#tokens = tokens
  }
  redirectToAuthorization(url: URL) {
    this.sentTo.push(url)
  }
  saveCodeVerifier(verifier: string) {
    this.#verifier = verifier
  }
  codeVerifier() {
    return this.#verifier
  }
  invalidateCredentials(what: string) {
    this.forgotten.push(what)
    this.#tokens = undefined
  }
}

async function startBox(): Promise<BrowserGateway> {
  const box = await startBrowserGateway({ now, answer: tools })
  const { gateway, publicUrl } = box
  const yaml = readFileSync(join(gateway.folder, 'routes.yaml'), 'utf8')
  const upstream = /upstream: (\S+)/.exec(yaml)?.[1] ?? ''
  await gateway.server.reload(gateway.decode(withLevels(yaml, publicUrl, upstream)))
  for (const stepUp of ['keep', 'reauthorize'] as const) {
    const client = {
      id: stepUp,
      type: 'native',
      redirectUris: [CALLBACK],
      thirdParty: false,
      stepUp,
      allow: [],
    } as const
    assert.equal((await addClient(box.store, client, gateway.server.config.resources, now())).kind, 'added')
  }
  return box
}

const asksPassword = ({ text }: Pick<Answered, 'text'>) => /name="password"/.test(text)

describe('A sign-in that is not enough', () => {
  let box: BrowserGateway
  before(async () => {
    box = await startBox()
  })
  after(() => box?.close())

  /** Lets two minutes pass, and the gateway read again what has been revoked. */
  const later = async (): Promise<void> => {
    clock.aheadMs += 2 * 60_000
    const { password } = await appPassword(box, 'photos', ['photos:read'], undefined, now)
    const look = () => get(`${box.photos}/other`, { authorization: `Bearer ${password}` })
    await until(async () => (await look()).status === 200, 'revocations are read')
  }

  /** A client of the SDK that alice has signed in; what it sends next goes with her tokens. */
  const connected = async (id: string) => {
    const kept = new Kept(id)
    const person = new Person(box.publicUrl, 'alice')
    const connect = async () => {
      const transport = new StreamableHTTPClientTransport(new URL(`${box.publicUrl}/mcp`), { authProvider: kept })
      const client = new Client({ name: 'test', version: '1' })
      return { transport, client, begin: () => client.connect(transport) }
    }
    /** The person goes where the client sent the browser; whether a password was asked for. */
    const signIn = async (transport: StreamableHTTPClientTransport): Promise<boolean> => {
      const page = await person.open(kept.sentTo.at(-1)?.href ?? '')
      const back = asksPassword(page) ? await person.signIn(page) : page
      await transport.finishAuth(new URL(back.url).searchParams.get('code') ?? '')
      return asksPassword(page)
    }
    const first = await connect()
    await assert.rejects(first.begin(), UnauthorizedError)
    assert.ok(await signIn(first.transport))
    const second = await connect()
    await second.begin()
    return { ...second, kept, signIn }
  }

  it('step_up: reauthorize: the refresh answers invalid_grant, and the MCP SDK’s client reaches the resource after one sign-in', async () => {
    const { client, transport, kept, signIn } = await connected('reauthorize')
    try {
      await client.ping()
      await later()
      await assert.rejects(client.ping(), UnauthorizedError)
      assert.deepEqual([kept.forgotten, kept.sentTo.length], [['tokens'], 2])
      assert.ok(await signIn(transport), 'a page that asks for the password')
      await client.ping()
      assert.equal(kept.sentTo.length, 2)
    } finally {
      await client.close()
    }
  })

  it('step_up: keep, the default: refreshes go on, and the MCP SDK’s client ends with the 401 instead of a loop', async () => {
    const { client, kept } = await connected('keep')
    try {
      const before = kept.tokens()?.access_token
      await later()
      await assert.rejects(client.ping(), /401/)
      assert.notEqual(kept.tokens()?.access_token, before)
      assert.deepEqual([kept.forgotten, kept.sentTo.length], [[], 1])
    } finally {
      await client.close()
    }
  })

  it('a browser session’s page load goes round through the issuer with the wish, and arrives', async () => {
    const jar = new Jar()
    await jar.signIn(`${box.photos}/`)
    await later()
    const asked = await jar.open(`${box.photos}/fresh/a?b=c`)
    assert.ok(asksPassword(asked))
    const arrived = await jar.type(asked)
    assert.deepEqual([arrived.status, arrived.url], [200, `${box.photos}/fresh/a?b=c`])
    assert.equal((await jar.send(`${box.photos}/fresh/b`, { headers: PAGE })).status, 200)
  })

  it('what is no page load of a session gets the 401 with the challenge', async () => {
    const jar = new Jar()
    await jar.signIn(`${box.photos}/`)
    const refused = await jar.send(`${box.photos}/private/a`, { headers: FETCH })
    assert.deepEqual([refused.status, refused.location], [401, undefined])
    assert.match(refused.challenges[0] ?? '', /acr_values="mfa", error="insufficient_user_authentication"/)
  })

  it('a page load of a session whose better sign-in is refused ends at a page, within 60 s of a sign-in and later; what needs no such sign-in still opens', async () => {
    for (const isLater of [false, true]) {
      const jar = new Jar()
      await jar.signIn(`${box.photos}/`)
      if (isLater) await later()
      const asked = await jar.open(`${box.photos}/private/a`)
      const unmet = asksPassword(asked) ? await jar.type(asked) : asked
      assert.match(unmet.text, /A stronger sign-in is needed/)
      const deny = formsOf(unmet).find(({ buttons }) => buttons.includes('decision=deny'))
      assert.ok(deny)
      deny.fields.append('decision', 'deny')
      const end = await send(jar, unmet, deny.action, deny.fields)
      assert.equal(end.status, 403, end.text)
      assert.match(end.text, /this needs a better sign-in/)
      const others = await jar.open(`${box.photos}/other`)
      assert.deepEqual([others.status, others.url], [200, `${box.photos}/other`], 'what needs no such sign-in opens')
    }
  })

  it('a session is let in after a better sign-in, also within 60 s of the one that was not enough', async () => {
    const jar = new Jar()
    await jar.signIn(`${box.photos}/`)
    const elsewhere = new Person(box.publicUrl, 'alice')
    const passkey = new SoftwarePasskey(box.publicUrl)
    const account = await elsewhere.signIn(await elsewhere.open(`${box.publicUrl}/account`))
    await answer(elsewhere, await press(elsewhere, account, 'passkey-add'), passkey, {}, { name: 'hers' })
    const asked = await jar.open(`${box.photos}/private/a`)
    const form = formsOf(asked).find(({ fields }) => fields.has('passkey') && fields.has('ceremony'))
    assert.ok(form, asked.text)
    form.fields.set('passkey', passkey.get(askedOn(asked) ?? ''))
    const arrived = await send(jar, asked, form.action, form.fields)
    assert.deepEqual([arrived.status, arrived.url], [200, `${box.photos}/private/a`])
  })

  it('an app password is refused with insufficient_authentication under acr and max_age, and nobody is sent round', async () => {
    const { password } = await appPassword(box, 'photos', ['photos:read'], undefined, now)
    const ways = [{ authorization: basic('any', password) }, { authorization: `Bearer ${password}` }]
    for (const path of ['/private/a', '/fresh/a'])
      for (const way of ways)
        for (const more of [{}, PAGE, FETCH]) {
          const refused = await get(`${box.photos}${path}`, { ...way, ...more })
          assert.deepEqual([refused.status, refused.location], [401, undefined])
          assert.equal(box.gateway.requests().at(-1)?.reason, 'insufficient_authentication')
          assert.equal((await get(`${box.photos}/other`, { ...way, ...more })).status, 200)
        }
  })

  it('a service client that is allowed what only a sign-in opens is named in the log at the start', async () => {
    const { gateway, store, publicUrl } = box
    const allow = [`${publicUrl}/mcp=tools:use`]
    const robot = { id: 'robot', type: 'service', redirectUris: [], thirdParty: false, allow } as const
    assert.equal((await addClient(store, robot, gateway.server.config.resources, now())).kind, 'added')
    const told = () => gateway.log.filter(({ event }) => event === 'client.without_sign_in')
    assert.deepEqual(told(), [])
    await gateway.server.reload(gateway.decode(readFileSync(join(gateway.folder, 'routes.yaml'), 'utf8')))
    const [line, ...more] = told()
    assert.deepEqual([line?.level, line?.client, line?.resource, more], ['warn', 'robot', `${publicUrl}/mcp`, []])
    assert.match(String(line?.hint), /tools:use .*its tokens come from no sign-in/)
  })
})

describe('A gateway on its own', () => {
  it('tells the issuer of a refusal: that client’s next authorization gets a sign-in page, another’s does not', async () => {
    const upstream = createServer((_request, response) => response.end('ok'))
    const behind = `http://127.0.0.1:${await listenOnLoopback(upstream)}`
    const [port = 0] = await freePorts(1)
    const publicUrl = `http://127.0.0.1:${port}`
    const file = (settings: string) =>
      photosFile(publicUrl, behind, settings).replace(
        'scopes: [photos:read] }\n',
        'scopes: [photos:read], max_age: 1m }\n',
      )
    const own = await startGateway({
      yaml: file('listen: 127.0.0.1:0\ntrusted_proxies: [127.0.0.1/32]'),
      env: FEED,
      now,
    })
    const settings = `listen: 127.0.0.1:${port}\nmanagement: 127.0.0.1:0\nissuer: { upstream: "${own.url}" }`
    const alone = await startGateway({ yaml: file(settings), env: FEED, now })
    try {
      await isReady(alone)
      await toldTheIssuer(own, publicUrl)
    } finally {
      await alone.close()
      await own.close()
      upstream.close()
    }
  })
})

async function isReady({ managementUrl }: TestGateway): Promise<void> {
  await until(async () => (await fetch(`${managementUrl}/readyz`)).ok, 'the gateway follows the feed')
}

async function toldTheIssuer({ server }: TestGateway, publicUrl: string): Promise<void> {
  const { store } = server
  if (store === undefined) throw new Error('no issuer')
  await addPeople(store)
  for (const id of ['app', 'other']) {
    const client = { id, type: 'native', redirectUris: [CALLBACK], thirdParty: false, allow: [] } as const
    assert.equal((await addClient(store, client, server.config.resources, now())).kind, 'added')
  }
  const alice = new Person(publicUrl, 'alice')
  const asked = (clientId: string) => ({ clientId, redirectUri: CALLBACK, scope: 'photos:read' })
  const open = (clientId: string): Promise<Page> => alice.open(authorizationAttempt(publicUrl, asked(clientId)).url)
  const tokenOf = async () =>
    (await redeem(publicUrl, await alice.authorize(asked('app')), asked('app'))).body.access_token
  const token = await tokenOf()
  assert.equal(await look(publicUrl, token ?? ''), '200')
  clock.aheadMs += 2 * 60_000
  assert.ok(!asksPassword(await open('app')))
  // Nothing was heard of the issuer for two minutes, by that clock.
  await until(async () => !(await look(publicUrl, token ?? '')).startsWith('503'), 'the gateway follows the feed')
  assert.equal(await look(publicUrl, token ?? ''), '401 insufficient_authentication')
  await until(async () => asksPassword(await open('app')), 'a page that asks for the password')
  assert.ok(!asksPassword(await open('other')))
  assert.equal(await look(publicUrl, (await tokenOf()) ?? ''), '200')
  assert.ok(!asksPassword(await open('app')), 'a fresh sign-in ends it')
}

/** Sends a form of a page, and follows where the answer leads. */
function send(jar: Jar, page: Answered, action: string, fields: URLSearchParams): Promise<Answered> {
  const headers = {
    'content-type': 'application/x-www-form-urlencoded',
    origin: new URL(page.url).origin,
    'sec-fetch-site': 'same-origin',
  }
  return jar.open(new URL(action, page.url).href, { method: 'POST', headers, body: fields.toString() })
}
