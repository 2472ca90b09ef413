import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { lookupKey } from '../../../../src/store/sealed-payload.ts'
import {
  BOB,
  type BrowserGateway,
  basic,
  FETCH,
  Jar,
  PAGE,
  startBrowserGateway,
} from '../../../support/browser-gateway.ts'
import { until } from '../../../support/gateway-under-test.ts'
import { appPassword, get } from '../../../support/issuer/app-password.ts'
import { runAudgate } from '../../../support/programs/command-line.ts'

const shared: { box: BrowserGateway } = { box: undefined as never }
before(async () => {
  shared.box = await startBrowserGateway()
})
after(() => shared.box.close())

/** After a leap of the clock: what is revoked has to be read anew before anybody's token counts. */
async function caughtUp(box: BrowserGateway, jar: Jar): Promise<void> {
  const probe = async () => (await jar.send(`${box.files}/a`, { headers: FETCH })).status !== 503
  await until(probe, 'the revocations are read again', 20_000)
}

describe('the end of sessions', () => {
  it('Two hundred parallel requests at an access token’s end: one renewal, 200 answers', async () => {
    const clock = { ms: Date.now() }
    const box = await startBrowserGateway({ now: () => clock.ms })
    try {
      const jar = new Jar()
      await jar.signIn(`${box.photos}/`)
      const other = new Jar()
      await other.signIn(`${box.files}/`, BOB)
      clock.ms += 301_000
      await caughtUp(box, other)
      const issued = () => box.gateway.log.filter(({ event }) => event === 'token.issued').length
      const before = issued()
      const answers = await Promise.all(
        Array.from({ length: 200 }, () => jar.send(`${box.photos}/a`, { headers: FETCH })),
      )
      assert.ok(answers.every(({ status }) => status === 200))
      assert.equal(issued() - before, 1)
    } finally {
      await box.close()
    }
  })
  it('`revoke --client browser --user alice`: refused ≤ 1 s later, an open WebSocket closes, bob’s goes on, her app passwords go on', async () => {
    const { box } = shared
    const [alice, bob] = [new Jar(), new Jar()]
    await alice.signIn(`${box.photos}/`)
    await bob.signIn(`${box.files}/`, BOB)
    const [hers, his] = [await alice.socket(`${box.photos}/s`), await bob.socket(`${box.files}/s`)]
    const { password } = await appPassword(box, 'photos', ['photos:read'])
    const revoke = ['revoke', '--client', 'browser', '--user', 'alice']
    const { code, stderr } = await runAudgate(box.gateway.folder, revoke, '', {
      AUDGATE_SECRET: 'a secret for tests that is long enough',
    })
    assert.equal(code, 0, stderr)
    // A second for the act of another process to be heard of, and as much for a loud machine.
    await until(() => hers.closed(), 'her socket closes', 2_000)
    const answer = await alice.send(`${box.photos}/a`, { headers: FETCH })
    assert.equal(answer.status, 401)
    assert.equal(JSON.parse(answer.text).reason, 'revoked')
    assert.equal((await get(`${box.photos}/a`, { authorization: basic('x', password) })).status, 200)
    assert.equal((await bob.send(`${box.files}/a`, { headers: FETCH })).status, 200)
    assert.equal(his.closed(), false)
    his.close()
  })
  it('Sign-out on photos signs files out too; a GET, or a POST from elsewhere, ends nothing', async () => {
    const { box } = shared
    const jar = new Jar()
    await jar.signIn(`${box.photos}/`)
    await jar.signIn(`${box.files}/`)
    assert.match(
      (await jar.send(`${box.photos}/.audgate/sign-out`)).text,
      /<form method="post" action="\/\.audgate\/sign-out">/,
    )
    const post = (headers: Record<string, string>) =>
      jar.send(`${box.photos}/.audgate/sign-out`, { method: 'POST', headers })
    for (const headers of [
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site', origin: box.files },
      { origin: 'null' },
    ])
      assert.equal((await post(headers)).status, 403)
    assert.equal((await jar.send(`${box.photos}/a`, { headers: FETCH })).status, 200)
    assert.equal((await jar.send(`${box.files}/a`, { headers: FETCH })).status, 200)
    const kept = jar.cookie(box.photos, 'audgate_web') ?? ''
    const done = await post({ 'sec-fetch-site': 'same-origin', origin: box.photos })
    assert.equal(done.status, 200)
    assert.match(done.setCookies[0] ?? '', /^audgate_web=; Path=\/; Max-Age=0/)
    assert.equal((await jar.send(`${box.files}/a`, { headers: FETCH })).status, 401)
    jar.set(box.photos, 'audgate_web', kept)
    assert.equal((await jar.send(`${box.photos}/a`, { headers: FETCH })).status, 401)
    assert.match((await jar.open(`${box.photos}/`)).text, /name="password"/)
  })
  it('An answer begun before sign-out does not bring the session back', async () => {
    const gate: { open: () => void } = { open: () => undefined }
    const held = new Promise<void>((resolve) => {
      gate.open = resolve
    })
    const box = await startBrowserGateway({
      answer: async ({ url }) => (url === '/slow' ? held.then(() => ({ body: 'late' })) : undefined),
    })
    try {
      const jar = new Jar()
      await jar.signIn(`${box.photos}/`)
      const slow = jar.send(`${box.photos}/slow`, { headers: PAGE })
      await until(() => box.arrived.some(({ url }) => url === '/slow'), 'the slow request')
      const own = { 'sec-fetch-site': 'same-origin', origin: box.photos }
      await jar.send(`${box.photos}/.audgate/sign-out`, { method: 'POST', headers: own })
      gate.open()
      const late = await slow
      assert.deepEqual([late.status, late.text, late.setCookies], [200, 'late', []])
      assert.equal(jar.cookie(box.photos, 'audgate_web'), undefined)
      assert.equal((await jar.send(`${box.photos}/a`, { headers: FETCH })).status, 401)
    } finally {
      gate.open()
      await box.close()
    }
  })
  it('signing out at the issuer, or changing nothing but the browser’s session, ends what was opened under it', async () => {
    const { box } = shared
    const jar = new Jar()
    await jar.signIn(`${box.photos}/`)
    const session = await box.store.browserSession(lookupKey(jar.cookie(box.photos, 'audgate_web') ?? ''), 0)
    assert.match(session?.issuerSession ?? '', /^[\w-]{43}$/)
    await box.acts.signOutBrowser(box.people.alice ?? '', session?.issuerSession ?? '', 'test')
    assert.equal((await jar.send(`${box.photos}/a`, { headers: FETCH })).status, 401)
  })
})
