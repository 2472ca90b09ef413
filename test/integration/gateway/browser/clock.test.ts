import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { type BrowserGateway, basic, FETCH, Jar, startBrowserGateway } from '../../../support/browser-gateway.ts'
import { until } from '../../../support/gateway-under-test.ts'
import { appPassword, get } from '../../../support/issuer/app-password.ts'
import { HOUR, MINUTE, type ShiftedClock, shiftClock } from '../../../support/programs/shifted-clock.ts'

const DAY = 24 * HOUR
const folder = mkdtempSync(join(tmpdir(), 'audgate-clock-'))
const settings = `store: sqlite:${join(folder, 'audgate.db')}
sessions: { idle: 1d, max: 3d }
app_passwords: { max: 100d, unused: 20d }`
const shared: { box: BrowserGateway; clock: ShiftedClock } = { box: undefined as never, clock: undefined as never }

before(async () => {
  shared.clock = shiftClock()
  shared.box = await startBrowserGateway({ settings, now: () => Date.now() })
})
after(async () => {
  await shared.box.close()
  shared.clock.restore()
  rmSync(folder, { recursive: true, force: true })
})
beforeEach(caughtUp)

/** After a leap of the clock: what is revoked has to be read anew before anybody’s token counts. */
async function caughtUp(): Promise<void> {
  const { password } = await appPassword(shared.box, 'files', ['files:read'], 60, () => Date.now())
  const headers = { authorization: `Bearer ${password}` }
  const probe = async () => (await get(`${shared.box.files}/a`, headers)).status === 200
  await until(probe, 'the revocations are read again', 20_000)
}

async function forward(ms: number): Promise<void> {
  shared.clock.forward(ms)
  await caughtUp()
}

/** The gateway and its issuer stop and start again on the same store. */
async function restart(): Promise<void> {
  const { port } = shared.box
  await shared.box.close()
  shared.box = await startBrowserGateway({ settings, port, now: () => Date.now() })
  await caughtUp()
}

const status = async (jar: Jar) => (await jar.send(`${shared.box.photos}/a`, { headers: FETCH })).status

describe('what a clock ends', () => {
  it('A sign-in page left open longer than the flow ends, after the password, at the address first asked for', async () => {
    const jar = new Jar()
    const asked = `${shared.box.photos}/album/5?sort=new`
    const page = await jar.open(asked)
    assert.match(page.text, /name="password"/)
    await forward(2 * HOUR)
    // What lives an hour is gone from the browser, too.
    jar.cookies.get('photos.localhost')?.delete('audgate_flow')
    const again = await jar.type(page)
    const end = /name="password"/.test(again.text) ? await jar.type(again) : again
    assert.deepEqual([end.status, end.url], [200, asked])
  })

  it('Idle and last end fall to the minute, also over a restart', async () => {
    const jar = new Jar()
    await jar.signIn(`${shared.box.photos}/`)
    await forward(DAY - MINUTE)
    await restart()
    assert.equal(await status(jar), 200)
    await forward(DAY - MINUTE)
    await restart()
    assert.equal(await status(jar), 200)
    // The third day is the last, however lately it was used.
    await forward(DAY - MINUTE)
    assert.equal(await status(jar), 200)
    await forward(4 * MINUTE)
    await restart()
    assert.equal(await status(jar), 401)
    const idle = new Jar()
    await idle.signIn(`${shared.box.photos}/`)
    await forward(DAY + MINUTE)
    await restart()
    assert.equal(await status(idle), 401)
  })

  it('`/.audgate/session` does not move the idle end', async () => {
    const jar = new Jar()
    await jar.signIn(`${shared.box.photos}/`)
    const ask = async () => JSON.parse((await jar.send(`${shared.box.photos}/.audgate/session`)).text)
    const first = await ask()
    await forward(20 * HOUR)
    assert.deepEqual(await ask(), first)
    await forward(4 * HOUR + MINUTE)
    assert.equal((await ask()).active, false)
  })

  it('the idle end moves at most every 5 min or a tenth of the idle life, whichever is less', async () => {
    const jar = new Jar()
    await jar.signIn(`${shared.box.photos}/`)
    const ask = async () => JSON.parse((await jar.send(`${shared.box.photos}/.audgate/session`)).text)
    const { idle_expires_at: before } = await ask()
    await forward(4 * MINUTE)
    assert.equal(await status(jar), 200)
    assert.equal((await ask()).idle_expires_at, before)
    await forward(2 * MINUTE)
    assert.equal(await status(jar), 200)
    await until(async () => (await ask()).idle_expires_at >= before + 6 * 60, 'the idle end has moved')
  })

  it('Expired, unused: an app password is refused ≤ 50 ms', async () => {
    const { box } = shared
    const open = async (password: string) =>
      (await get(`${shared.box.files}/a`, { authorization: basic('x', password) })).status
    const now = () => Date.now()
    const short = await appPassword(box, 'files', ['files:read'], 3_600, now)
    const unused = await appPassword(box, 'files', ['files:read'], undefined, now)
    assert.equal(await open(short.password), 200)
    await forward(HOUR - MINUTE)
    assert.equal(await open(short.password), 200)
    await forward(MINUTE)
    assert.equal(await open(short.password), 401)
    await forward(19 * DAY + 22 * HOUR)
    assert.equal(await open(unused.password), 200)
    await until(
      async () => {
        const [record] = await shared.box.store.appPasswords({ id: unused.record.id })
        return record?.lastUsedAt !== undefined
      },
      'its use is written down',
      10_000,
    )
    await forward(20 * DAY - MINUTE)
    assert.equal(await open(unused.password), 200)
    await forward(20 * DAY + MINUTE)
    assert.equal(await open(unused.password), 401)
  })
})
