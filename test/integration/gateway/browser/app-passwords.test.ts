import assert from 'node:assert/strict'
import { createHook } from 'node:async_hooks'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { ALICE, type BrowserGateway, basic, Jar, startBrowserGateway } from '../../../support/browser-gateway.ts'
import { appPassword, get } from '../../../support/issuer/app-password.ts'

const shared: { box: BrowserGateway } = { box: undefined as never }
before(async () => {
  shared.box = await startBrowserGateway()
})
after(() => shared.box.close())

/** Counts the password hashes that this process begins. */
function countHashes() {
  const state = { made: 0 }
  const hook = createHook({
    init: (_id, type) => {
      if (/argon2/i.test(type)) state.made += 1
    },
  }).enable()
  return { made: () => state.made, stop: () => hook.disable() }
}

describe('app passwords', () => {
  it('`curl -u any:agp_…`, Bearer and `X-Audgate-Authorization` open the same; another resource → `audience_mismatch`; alice’s real password → 401 with no hash computed', async () => {
    const { box } = shared
    const { password } = await appPassword(shared.box, 'files', ['files:read', 'files:write'])
    for (const headers of [
      { authorization: basic('any', password) },
      { authorization: `Bearer ${password}` },
      { 'x-audgate-authorization': `Bearer ${password}` },
      { 'x-audgate-authorization': basic('', password) },
    ]) {
      const answer = await get(`${box.files}/a`, headers)
      assert.equal(answer.status, 200)
      const { headers: upstream } = JSON.parse(answer.text)
      assert.equal(upstream['x-auth-username'], 'alice')
      assert.equal(upstream.authorization, undefined)
      assert.equal(upstream['x-audgate-authorization'], undefined)
    }
    // Whatever the user name, it is in the log and nowhere else.
    assert.deepEqual(
      box.gateway
        .requests()
        .slice(-4)
        .map((line) => [line.credential, line.basic_user]),
      [
        ['app_password', 'any'],
        ['app_password', undefined],
        ['app_password', undefined],
        ['app_password', undefined],
      ],
    )
    const other = await get(`${box.photos}/a`, { authorization: basic('any', password) })
    assert.equal(other.status, 401)
    assert.equal(JSON.parse(other.text).reason, 'audience_mismatch')
    const hashes = countHashes()
    const own = await get(`${box.files}/a`, { authorization: basic(ALICE.username, ALICE.password) })
    assert.equal(own.status, 401)
    assert.equal(hashes.made(), 0)
    await new Jar().signIn(`${box.files}/`)
    assert.ok(hashes.made() > 0, 'a sign-in is seen to hash')
    hashes.stop()
    assert.equal(JSON.parse(own.text).reason, 'bad_app_password')
    const both = await get(`${box.files}/a`, {
      authorization: basic('a', password),
      'x-audgate-authorization': `Bearer ${password}`,
    })
    assert.equal(both.status, 400)
  })
  it('`files:read` does PROPFIND and GET, 403 on PUT', async () => {
    const { box } = shared
    const { password } = await appPassword(shared.box, 'files', ['files:read'])
    const headers = { authorization: basic('any', password) }
    assert.equal((await get(`${box.files}/d`, headers, 'PROPFIND')).status, 200)
    assert.equal((await get(`${box.files}/d`, headers)).status, 200)
    assert.equal((await get(`${box.files}/d`, headers, 'PUT')).status, 403)
  })
  it('Its value is in no log, store file, later page or upstream request', async () => {
    const { box } = shared
    const { password } = await appPassword(shared.box, 'files', ['files:read'])
    await get(`${box.files}/a`, { authorization: basic('x', password) })
    await get(`${box.files}/public/a`, {
      authorization: basic('x', password),
      'x-audgate-authorization': `Bearer ${password}`,
    })
    const jar = new Jar()
    await jar.signIn(`${box.files}/`)
    const account = await jar.open(`${box.publicUrl}/account`)
    assert.match(account.text, /drive/)
    const files = readdirSync(box.gateway.folder, { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'latin1'))
    assert.ok(files.some((text) => text.startsWith('SQLite format 3')))
    const seen = JSON.stringify([box.gateway.log, box.arrived, account.text, ...files])
    assert.ok(!seen.includes(password))
    assert.ok(!seen.includes(Buffer.from(`x:${password}`).toString('base64')))
  })
  it('Revoked: refused ≤ 50 ms; a lost group narrows it', async () => {
    const { box } = shared
    const { password, record } = await appPassword(box, 'files', ['files:read', 'files:write'])
    const ask = async () => (await get(`${box.files}/a`, { authorization: basic('x', password) })).status
    assert.equal(await ask(), 200)
    await box.acts.changeGroups(box.people.alice ?? '', ['photos'], 'test')
    assert.equal(await ask(), 401)
    await box.acts.changeGroups(box.people.alice ?? '', ['photos', 'files'], 'test')
    assert.equal(await ask(), 200)
    await box.acts.revokeAppPassword(record.id, 'test')
    assert.equal(await ask(), 401)
  })
  it('On a public path neither a token nor an app password goes on, though `Authorization` may be the upstream’s own', async () => {
    for (const photos of ['authorization: upstream', 'authorization: gateway']) {
      const box = await startBrowserGateway({ photos })
      try {
        const { password } = await appPassword(box, 'photos', ['photos:read'])
        const claims = Buffer.from(JSON.stringify({ iss: box.publicUrl })).toString('base64url')
        const token = `e30.${claims}.c2ln`
        const fields = [
          `Bearer ${token}`,
          `DPoP ${token}`,
          basic('x', token),
          `Bearer ${password}`,
          basic(password, ''),
          `Token ${password}`,
        ]
        for (const authorization of fields) {
          const { status, text } = await get(`${box.photos}/public/a`, { authorization })
          assert.equal(status, 200)
          assert.equal(JSON.parse(text).headers?.authorization, undefined, authorization)
        }
      } finally {
        await box.close()
      }
    }
  })
  it('`authorization: upstream`: the app’s field arrives byte for byte, its 401 comes back untouched', async () => {
    const box = await startBrowserGateway({
      photos: 'authorization: upstream',
      answer: ({ url }) =>
        url === '/no' ? { status: 401, headers: { 'www-authenticate': 'MediaBrowser x="1"' }, body: 'no' } : undefined,
    })
    try {
      const { password } = await appPassword(box, 'photos', ['photos:read'])
      const ours = { 'x-audgate-authorization': `Bearer ${password}` }
      for (const field of [
        'MediaBrowser Token="a, b"',
        'bearer  odd',
        'Bearer upstreams.own.token',
        'Basic Zm9vOmJhcg==',
      ]) {
        const answer = await get(`${box.photos}/a`, { ...ours, authorization: field })
        assert.equal(JSON.parse(answer.text).headers?.authorization, field)
      }
      const refused = await get(`${box.photos}/no`, { ...ours, authorization: 'x y' })
      assert.equal(refused.status, 401)
      assert.deepEqual(refused.challenges, ['MediaBrowser x="1"'])
      assert.equal(refused.text, 'no')
      assert.equal((await get(`${box.photos}/a`, { ...ours, authorization: basic('x', password) })).status, 400)
      assert.equal((await get(`${box.photos}/a`, { authorization: 'MediaBrowser Token="a"' })).status, 401)
    } finally {
      await box.close()
    }
  })
  it('A thousand wrong keys from one address → 429 there; a good key is answered at once', async () => {
    const { box } = shared
    const { password } = await appPassword(shared.box, 'files', ['files:read'])
    const wrong = (i: number) =>
      get(`${box.files}/a`, { authorization: basic('x', `agp_${String(i).padStart(43, 'A')}`) })
    const statuses: number[] = []
    for (let i = 0; i < 1_000; i += 50) {
      const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => wrong(i + n)))
      statuses.push(...answers.map(({ status }) => status))
    }
    // Those that were revoked above are as unknown as these.
    const refused = statuses.filter((status) => status === 401).length
    assert.ok(refused > 5 && refused <= 10)
    assert.equal(statuses.filter((status) => status === 429).length, 1_000 - refused)
    assert.ok(Number((await wrong(0)).headers['retry-after']) > 0)
    assert.equal((await get(`${box.files}/a`, { authorization: basic('x', password) })).status, 200)
  })
})
