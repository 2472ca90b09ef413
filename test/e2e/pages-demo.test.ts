import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { startDemoSite } from '../../src/demo/samples/demo-site.ts'
import { startPhotoServer } from '../../src/demo/samples/photo-server.ts'
import type { SampleServer } from '../../src/demo/samples/sample-server.ts'
import { answerAsset } from '../../src/issuer/pages/assets.ts'
import { type StartedChromium, startChromium } from '../support/programs/chromium.ts'

const axeSource = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const upstreams: SampleServer[] = []
let gate: StandIn
let chromium: StartedChromium
let page: Page

before(async () => {
  gate = await startStandIn()
  const site = await startDemoSite({ port: 0, publicUrl: gate.url })
  const photos = await startPhotoServer({ port: 0 })
  upstreams.push(site, photos)
  gate.routes.push(['/photos', photos.url], ['', site.url])
  chromium = await startChromium()
  page = await chromium.context.newPage()
})

after(async () => {
  await chromium.close()
  await gate.close()
  for (const upstream of upstreams) await upstream.close()
})

describe('the demo’s start page', () => {
  it('has commands with the address that people reach the gateway by, each with a button that copies it', async () => {
    await page.goto(gate.url)
    const commands = await page.locator('pre').allTextContents()
    assert.ok(commands.some((command) => command.includes(`--client photos-cli --resource ${gate.url}/photos`)))
    assert.equal(await page.getByRole('button', { name: 'Copy' }).count(), commands.length)
  })
})

describe('the gallery', () => {
  it('signs in by PKCE with the photos as its resource, and shows them', async () => {
    await signIn('Sign in for the photos')
    assert.equal(await page.locator('#album img').count(), 8)
    assert.match(await textOf('#permission'), /Made for\S+\/photos/)
    assert.deepEqual(gate.asked.getAll('resource'), [`${gate.url}/photos`])
    assert.equal(gate.asked.get('code_challenge_method'), 'S256')
    assert.doesNotMatch(page.url(), /code=|state=/)
    assert.equal(await page.getByRole('button', { name: 'Sign in for the photos' }).isVisible(), false)
  })

  it('shows the refusal as the gateway explained it', async () => {
    await page.getByRole('button', { name: 'Ask the files with the same token' }).click()
    await page.locator('#answer .problem').waitFor()
    const said = await textOf('#answer')
    assert.match(said, /GET \/files\/ → 401, audience_mismatch/)
    assert.match(said, /WWW-Authenticate: Bearer error="invalid_token"/)
  })

  it('gets another token for the files where they were granted, too', async () => {
    await signIn('Sign in for photos and files')
    await page.getByRole('button', { name: 'Get a token for the files, ask again' }).click()
    await page.locator('#answer .done').waitFor()
    assert.match(await textOf('#permission'), /Made for\S+\/files/)
  })

  it('notices by itself when its access was taken back', async () => {
    await signIn('Sign in for the photos')
    await page.getByRole('button', { name: 'Ask once a second' }).click()
    await page.locator('.tick.ok').first().waitFor()
    gate.revoked = true
    await page.locator('.tick.refused').first().waitFor()
    assert.match(await textOf('#watch-said'), /refused at .*: revoked/)
    gate.revoked = false
  })

  it('is another client as the print shop, with more to ask for', async () => {
    await signIn('Sign in for the photos', '/demo/print-shop/')
    assert.equal(gate.asked.get('client_id'), 'print-shop')
    assert.equal(gate.asked.get('redirect_uri'), `${gate.url}/demo/print-shop/`)
    assert.equal(gate.asked.get('scope'), 'photos:read photos:write')
  })

  it('says what the issuer said when it got no access, and takes no answer that it did not ask for', async () => {
    await page.goto(`${gate.url}/demo/?error=access_denied&state=x&iss=${encodeURIComponent(gate.url)}`)
    await page.getByRole('alert').waitFor()
    assert.match(await textOf('[role=alert]'), /belongs to no sign-in/)
    gate.denied = true
    await page.getByRole('button', { name: 'Sign in for the photos' }).click()
    await page.getByText('access_denied: not in the group').waitFor()
    gate.denied = false
  })
})

describe('the demo’s pages, in Chromium', () => {
  for (const path of ['/', '/demo/', '/demo/ signed in']) {
    for (const colorScheme of ['light', 'dark'] as const) {
      it(`${path}, ${colorScheme}: axe finds nothing, nothing scrolls sideways, the browser complains of nothing`, async () => {
        const complaints: string[] = []
        page.on('console', (line) => line.type() === 'error' && complaints.push(line.text()))
        await page.emulateMedia({ colorScheme })
        await page.setViewportSize({ width: 320, height: 640 })
        if (path.endsWith('signed in')) await signIn('Sign in for photos and files')
        else await page.goto(gate.url + path, { waitUntil: 'networkidle' })
        await page.evaluate(axeSource)
        assert.deepEqual(
          await page.evaluate(
            'axe.run(document).then(({ violations }) => violations.map((v) => v.id + v.nodes[0].html))',
          ),
          [],
        )
        assert.ok(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'))
        assert.deepEqual(complaints, [])
        page.removeAllListeners('console')
      })
    }
  }
})

async function textOf(selector: string): Promise<string> {
  return (await page.locator(selector).textContent()) ?? ''
}

async function signIn(button: string, path = '/demo/'): Promise<void> {
  await page.goto(gate.url + path)
  await page.getByRole('button', { name: button }).click()
  await page.locator('#album img').nth(7).waitFor()
}

interface StandIn {
  readonly url: string
  /** Path prefix, and where it leads without it. */
  readonly routes: [string, string][]
  /** The last authorization request. */
  asked: URLSearchParams
  revoked: boolean
  denied: boolean
  close(): Promise<void>
}

/** In place of gateway and issuer: grants everything at once, lets tokens of no signature through at their own door. */
async function startStandIn(): Promise<StandIn> {
  const server: Server = createServer((request, response) => {
    respond(standIn, request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const standIn: StandIn = {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    routes: [],
    asked: new URLSearchParams(),
    revoked: false,
    denied: false,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return standIn
}

async function respond(standIn: StandIn, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', standIn.url)
  const json = (status: number, value: object, headers: Record<string, string> = {}) =>
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value))
  const asset = answerAsset(url.pathname, undefined)
  if (asset !== undefined) return void response.writeHead(asset.status, asset.headers).end(asset.body)
  if (url.pathname === '/.well-known/oauth-authorization-server') return void json(200, endpointsOf(standIn.url))
  const [, path] = /^\/\.well-known\/oauth-protected-resource(\/\w+)$/.exec(url.pathname) ?? []
  if (path !== undefined) return void json(200, { resource: standIn.url + path })
  if (url.pathname === '/authorize') return authorize(standIn, url, response)
  if (url.pathname === '/token') return void json(200, tokensFor(await formOf(request)))
  const door = /^\/(photos|files)\//.exec(url.pathname)?.[1]
  const reason = door === undefined ? undefined : refusalAt(standIn, `${standIn.url}/${door}`, request)
  if (reason !== undefined) {
    return void json(401, { error: 'invalid_token', reason }, { 'www-authenticate': 'Bearer error="invalid_token"' })
  }
  if (door === 'files') return void json(200, { entries: [] })
  const [prefix, upstream] = standIn.routes.find(([each]) => url.pathname.startsWith(each)) ?? ['', '']
  const answer = await fetch(upstream + url.pathname.slice(prefix.length) + url.search, {
    headers: { 'x-forwarded-prefix': prefix },
  })
  const body = Buffer.from(await answer.arrayBuffer())
  response
    .writeHead(answer.status, { ...Object.fromEntries(answer.headers), 'content-length': String(body.length) })
    .end(body)
}

function endpointsOf(issuer: string): object {
  return {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    revocation_endpoint: `${issuer}/revoke`,
  }
}

function authorize(standIn: StandIn, url: URL, response: ServerResponse): void {
  standIn.asked = url.searchParams
  const back = new URL(url.searchParams.get('redirect_uri') ?? '')
  const outcome = standIn.denied ? { error: 'access_denied', error_description: 'not in the group' } : { code: 'c' }
  for (const [name, value] of Object.entries(outcome)) back.searchParams.set(name, value)
  back.searchParams.set('state', url.searchParams.get('state') ?? '')
  back.searchParams.set('iss', standIn.url)
  response.writeHead(303, { location: back.href }).end()
}

function tokensFor(form: URLSearchParams): object {
  const claims = {
    aud: form.get('resource'),
    scope: 'x:read',
    username: 'alice',
    client_id: form.get('client_id'),
    exp: 4e9,
  }
  const payload = Buffer.from(JSON.stringify(claims)).toString('base64url')
  return { access_token: `h.${payload}.s`, refresh_token: 'r', token_type: 'Bearer' }
}

function refusalAt(standIn: StandIn, audience: string, request: IncomingMessage): string | undefined {
  const [, payload = 'e30'] = (request.headers.authorization ?? '').split('.')
  const { aud } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { aud?: string }
  if (aud !== audience) return 'audience_mismatch'
  return standIn.revoked ? 'revoked' : undefined
}

async function formOf(request: IncomingMessage): Promise<URLSearchParams> {
  let text = ''
  for await (const chunk of request) text += chunk
  return new URLSearchParams(text)
}
