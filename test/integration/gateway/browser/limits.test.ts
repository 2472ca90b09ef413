import assert from 'node:assert/strict'
import { after, before, describe, it, mock } from 'node:test'
import { makeAppPassword } from '../../../../src/issuer/people/app-passwords.ts'
import { type BrowserGateway, FETCH, Jar, PAGE, startBrowserGateway } from '../../../support/browser-gateway.ts'
import { appPassword, get, ticketBy } from '../../../support/issuer/app-password.ts'

const shared = { box: undefined as unknown as BrowserGateway, aheadMs: 0 }
before(async () => {
  shared.box = await startBrowserGateway({ now: () => Date.now() + shared.aheadMs })
})
after(() => shared.box.close())

describe('limits', () => {
  it('50 sessions a person, the oldest ends; 100,000 in all', async () => {
    const { box } = shared
    const open = mock.method(box.store, 'openBrowserSession')
    const jar = new Jar()
    await jar.signIn(`${box.files}/`)
    // What is opened in one second is equally old.
    shared.aheadMs = 2_000
    const ids: (string | undefined)[] = []
    for (let i = 0; i < 50; i += 1) {
      // Another browser of hers each time, as the photos see it.
      jar.cookies.delete('photos.localhost')
      await jar.open(`${box.photos}/`)
      ids.push(jar.cookie(box.photos, 'audgate_web'))
    }
    const statusOf = async (url: string, id: string | undefined) => {
      const other = new Jar()
      other.set(url, 'audgate_web', id ?? '')
      return (await other.send(`${url}/a`, { headers: FETCH })).status
    }
    assert.equal(await statusOf(box.files, jar.cookie(box.files, 'audgate_web')), 401)
    assert.equal(await statusOf(box.photos, ids[0]), 200)
    assert.equal(await statusOf(box.photos, ids.at(-1)), 200)
    assert.equal((await box.store.browserSessions({ sub: box.people.alice ?? '' })).length, 50)
    const [opening] = open.mock.calls.at(-1)?.arguments ?? []
    assert.deepEqual([opening?.mostOfPerson, opening?.mostInAll], [50, 100_000])
    open.mock.restore()
  })

  it('100 app passwords a person', async () => {
    const { box } = shared
    for (let i = 0; i < 100; i += 1) await appPassword(box, 'files', ['files:read'])
    const resource = box.gateway.server.config.resources.find(({ identifier }) => identifier.endsWith('/files'))
    const user = await box.store.userBySub(box.people.alice ?? '')
    if (resource === undefined || user === undefined) return assert.fail('no resource or user')
    const asked = { user, resource, scopes: ['files:read'], name: 'one more', life: undefined }
    const made = await makeAppPassword(box.store, asked, { max: 3_600, unused: 3_600 }, Math.floor(Date.now() / 1_000))
    assert.deepEqual(made, {
      kind: 'invalid',
      problem: 'There are 100 app passwords already: revoke one of them first.',
    })
    for (const { id } of (await box.store.appPasswords({})).slice(0, 50)) await box.acts.revokeAppPassword(id, 'test')
  })

  it('a target that makes `state` longer than 2 KiB falls back to its path, then to /', async () => {
    const { box } = shared
    const jar = new Jar()
    await jar.signIn(`${box.files}/`)
    for (const [target, end] of [
      [`/a/b?q=${'x'.repeat(500)}`, `/a/b?q=${'x'.repeat(500)}`],
      [`/a/b?q=${'x'.repeat(3_000)}`, '/a/b'],
      [`/${'x'.repeat(3_000)}`, '/'],
    ] as const) {
      jar.cookies.delete('photos.localhost')
      const { location = '' } = await jar.send(`${box.photos}${target}`, { headers: PAGE })
      assert.ok((new URL(location).searchParams.get('state') ?? '').length <= 2_048)
      assert.equal((await jar.open(location)).url, `${box.photos}${end}`)
    }
  })

  it('a ticket has at most 512 characters, and lives at most 24 h', async () => {
    const { box } = shared
    const { password } = await appPassword(box, 'photos', ['photos:read', 'photos:write'])
    const { query_url: url } = await ticketBy(box, { path: `/${'long/'.repeat(300)}film.mp4`, life: '24h' }, password)
    const ticket = new URL(url).searchParams.get('audgate_ticket') ?? ''
    assert.ok(ticket.length > 100 && ticket.length <= 512, String(ticket.length))
    await assert.rejects(ticketBy(box, { path: '/a', life: '25h' }, password), /at most 86400 seconds/)
    assert.equal((await get(`${box.photos}/a?audgate_ticket=${'A'.repeat(513)}`, {})).status, 401)
  })
})
