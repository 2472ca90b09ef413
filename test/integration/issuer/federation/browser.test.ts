import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type BrowserGateway, basic, FETCH, Jar, startBrowserGateway } from '../../../support/browser-gateway.ts'
import { until } from '../../../support/gateway-under-test.ts'
import { get } from '../../../support/issuer/app-password.ts'
import { formWith } from '../../../support/issuer/browser-less-person.ts'
import { providerLinksOf } from '../../../support/issuer/federated-issuer.ts'
import { startProvider, type TestProvider } from '../../../support/issuer/identity-provider.ts'
import { runAudgate } from '../../../support/programs/command-line.ts'
import { HOUR, MINUTE, type ShiftedClock, shiftClock } from '../../../support/programs/shifted-clock.ts'

const shared: { box: BrowserGateway; provider: TestProvider; clock: ShiftedClock } = {
  box: undefined as never,
  provider: undefined as never,
  clock: undefined as never,
}
const env = { AUDGATE_SECRET: 'a secret for tests that is long enough' }

before(async () => {
  shared.clock = shiftClock()
  shared.provider = await startProvider({ kind: 'authentik', callback: '*' })
  const { issuer, clientId, clientSecret } = shared.provider
  const entry = `{ issuer: "${issuer}", client_id: ${clientId}, client_secret: "${clientSecret}" }`
  shared.box = await startBrowserGateway({ issuer: `, providers: [${entry}]`, now: () => Date.now() })
})
after(async () => {
  await shared.box.close()
  await shared.provider.close()
  shared.clock.restore()
})

/** Somebody whom the provider alone gives groups, signed in at the photos by its button. */
async function arrive(sub: string, groups: readonly string[] = ['photos']): Promise<Jar> {
  const { box, provider } = shared
  provider.setAccount({ sub, username: sub, groups })
  provider.person = sub
  const jar = new Jar()
  const page = await jar.open(`${box.photos}/album`)
  const button = providerLinksOf(page).find(({ url }) => /provider=/.test(url))
  const end = await jar.open(new URL(button?.url ?? '', page.url).href)
  assert.deepEqual([end.status, end.url], [200, `${box.photos}/album`], end.text)
  return jar
}

/** What `/account` shows when an app password was asked for there. */
async function ask(jar: Jar, scope = 'photos:read') {
  const { publicUrl } = shared.box
  const page = await jar.open(`${publicUrl}/account`)
  const { action, fields } = formWith(page, 'days')
  const body = new URLSearchParams(fields)
  for (const [key, value] of Object.entries({ name: 'tv', scope, days: '30' })) body.set(key, value)
  const headers = {
    'content-type': 'application/x-www-form-urlencoded',
    origin: publicUrl,
    'sec-fetch-site': 'same-origin',
  }
  return jar.open(new URL(action, publicUrl).href, { method: 'POST', headers, body: body.toString() })
}

async function made(jar: Jar): Promise<string> {
  const { text } = await ask(jar)
  return /agp_[\w-]{43}/.exec(text)?.[0] ?? assert.fail(text)
}

const byPassword = async (password: string) =>
  (await get(`${shared.box.photos}/a`, { authorization: basic('tv', password) })).status
const bySession = async (jar: Jar) => (await jar.send(`${shared.box.photos}/a`, { headers: FETCH })).status

/** After a leap of the clock, revocations are read anew before anybody’s token counts. */
async function forward(ms: number): Promise<void> {
  shared.clock.forward(ms)
  const arrives = async () => (await bySession(await arrive('probe'))) === 200
  await until(() => arrives().catch(() => false), 'the revocations are read again', 20_000)
}

describe('groups that come from a provider only', () => {
  it('16 Browser sessions can be completed by a button', async () => {
    const jar = await arrive('alma')
    const answer = await jar.send(`${shared.box.photos}/a`, { headers: FETCH })
    assert.equal(answer.status, 200)
    const { headers } = JSON.parse(answer.text)
    assert.deepEqual([headers['x-auth-username'], headers['x-auth-groups']], ['alma', 'photos'])
  })

  it('an app password that is made after signing in there opens what they give, and is listed', async () => {
    const jar = await arrive('berta')
    const password = await made(jar)
    assert.equal(await byPassword(password), 200)
    assert.equal((await get(`${shared.box.files}/a`, { authorization: basic('tv', password) })).status, 401)
    assert.match((await jar.open(`${shared.box.publicUrl}/account`)).text, />tv</)
  })

  it('a group that is lost there is lost to sessions and app passwords within `recheck` and a token’s life', async () => {
    const jar = await arrive('cleo')
    const password = await made(jar)
    assert.equal(await byPassword(password), 200)
    shared.provider.setAccount({ sub: 'cleo', username: 'cleo', groups: [] })
    await forward(6 * MINUTE)
    assert.equal(await byPassword(password), 401)
    assert.equal(await bySession(jar), 401)
    shared.provider.setAccount({ sub: 'cleo', username: 'cleo', groups: ['photos'] })
    await forward(6 * MINUTE)
    assert.equal(await byPassword(password), 200)
  })

  it('who is disabled there loses them within the same, and the app password is no more', async () => {
    const jar = await arrive('dora')
    const password = await made(jar)
    assert.equal(await byPassword(password), 200)
    shared.provider.setAccount({ sub: 'dora', username: 'dora', groups: ['photos'], disabled: true })
    await forward(6 * MINUTE)
    assert.equal(await byPassword(password), 401)
    assert.equal(await bySession(jar), 401)
    const user = (await shared.box.store.users()).find(({ username }) => username === 'dora')
    assert.deepEqual(await shared.box.store.appPasswords({ sub: user?.sub ?? '' }), [])
  })

  it('while the provider is silent both go on for `on_unreachable`, then 503, and work again with its next word', async () => {
    const jar = await arrive('elsa')
    const password = await made(jar)
    const silence = (): void => {
      shared.provider.defects.instead = (_path, response) => {
        response.writeHead(502).end()
        return true
      }
    }
    silence()
    shared.clock.forward(6 * MINUTE)
    await until(async () => (await byPassword(password)) === 200, 'the last word serves', 20_000)
    shared.clock.forward(HOUR)
    await until(async () => (await byPassword(password)) === 503, 'nothing is given', 20_000)
    assert.equal(await bySession(jar), 503)
    shared.provider.defects.instead = undefined
    await until(async () => (await byPassword(password)) === 200, 'the provider is back', 20_000)
    assert.equal(await bySession(jar), 200)
  })

  it('signing out leaves the app password, and the sign-in that it lives by', async () => {
    const { box } = shared
    const jar = await arrive('frida')
    const password = await made(jar)
    const own = { 'sec-fetch-site': 'same-origin', origin: box.photos }
    await jar.send(`${box.photos}/.audgate/sign-out`, { method: 'POST', headers: own })
    await forward(HOUR)
    await until(async () => (await byPassword(password)) === 200, 'it goes on', 20_000)
    assert.equal(await bySession(jar), 401)
  })

  it('`user unlink` and `user forget` end the app passwords that came from there', async () => {
    for (const [name, verb] of [
      ['gerda', 'forget'],
      ['helga', 'unlink'],
    ] as const) {
      const jar = await arrive(name)
      const password = await made(jar)
      assert.equal(await byPassword(password), 200)
      // What is the only way in can't be taken away: a password of her own comes first.
      await runAudgate(shared.box.gateway.folder, ['user', 'passwd', name], 'correct horse battery staple\n', env)
      const { code, stderr, stdout } = await runAudgate(
        shared.box.gateway.folder,
        ['user', verb, name, 'authentik'],
        '',
        env,
      )
      assert.equal(code, 0, stderr + stdout)
      await until(async () => (await byPassword(password)) === 401, `refused after ${verb}`, 5_000)
    }
  })

  it('the command makes none by them, and says where they count', async () => {
    await arrive('ilse')
    const words = ['app-password', 'add', '--user', 'ilse', '--resource', `${shared.box.publicUrl}/photos`]
    const { code, stderr } = await runAudgate(
      shared.box.gateway.folder,
      [...words, '--scope', 'photos:read', '--name', 'tv'],
      '',
      env,
    )
    assert.equal(code, 1)
    assert.match(stderr, /makes under \/account after signing in there/)
  })
})
