import assert from 'node:assert/strict'
import { request } from 'node:http'
import { after, before, describe, it } from 'node:test'
import { createPasswords } from '../../../../src/issuer/people/passwords.ts'
import { ALICE, type BrowserGateway, FETCH, Jar, startBrowserGateway } from '../../../support/browser-gateway.ts'
import { until } from '../../../support/gateway-under-test.ts'
import { appPassword, get, ticketBy } from '../../../support/issuer/app-password.ts'
import { formWith } from '../../../support/issuer/browser-less-person.ts'

const shared: { box: BrowserGateway } = { box: undefined as never }
before(async () => {
  shared.box = await startBrowserGateway()
})
after(() => shared.box.close())

const SCOPES = ['photos:read', 'photos:write'] as const

/** What alice holds at the photos; each is asked with by itself. */
interface Holdings {
  readonly jar: Jar
  readonly appPasswordId: string
  /** By its name: the URL and the fields that show it. */
  readonly ways: Readonly<Record<Way, readonly [url: string, headers: Readonly<Record<string, string>>]>>
}

const WAYS = ['session', 'other browser', 'app password', 'ticket of the session', 'ticket of the password'] as const
type Way = (typeof WAYS)[number]

async function cookieOf(jar: Jar): Promise<string> {
  const page = await jar.signIn(`${shared.box.photos}/`)
  assert.equal(page.status, 200)
  return `audgate_web=${jar.cookie(shared.box.photos, 'audgate_web')}`
}

async function hold(): Promise<Holdings> {
  const { box } = shared
  const at = `${box.photos}/a`
  const jar = new Jar()
  const cookie = await cookieOf(jar)
  const other = await cookieOf(new Jar())
  const { password, record } = await appPassword(box, 'photos', SCOPES)
  const own = { ...FETCH, cookie, origin: box.photos }
  const sent = { method: 'POST', headers: own, body: '{"path":"/a"}' }
  const made = await new Jar().send(`${box.photos}/.audgate/tickets`, sent)
  const { path_url: theirs } = await ticketBy(box, { path: '/a' }, password)
  return {
    jar,
    appPasswordId: record.id,
    ways: {
      session: [at, own],
      'other browser': [at, { ...own, cookie: other }],
      'app password': [at, { authorization: `Bearer ${password}` }],
      'ticket of the session': [JSON.parse(made.text).path_url, {}],
      'ticket of the password': [theirs, {}],
    },
  }
}

const status = async ([url, headers]: Holdings['ways'][Way]) => (await get(url, headers)).status

async function open({ ways }: Holdings): Promise<readonly Way[]> {
  const statuses = await Promise.all(WAYS.map((way) => status(ways[way])))
  return WAYS.filter((_, i) => statuses[i] === 200)
}

/** A tunnel by a way of these. */
function tunnel([url, headers]: Holdings['ways'][Way]): Promise<{ readonly closedAt: () => number | undefined }> {
  const { port, host, pathname } = new URL(url)
  const fields = { ...headers, host, connection: 'Upgrade', upgrade: 'websocket' }
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path: pathname, headers: fields, agent: false })
    asked.on('response', ({ statusCode }) => reject(new Error(`no tunnel: ${statusCode}`))).on('error', reject)
    asked.on('upgrade', (_response, socket) => {
      const state: { at: number | undefined } = { at: undefined }
      socket.on('close', () => {
        state.at = performance.now()
      })
      socket.on('error', () => undefined).resume()
      resolve({ closedAt: () => state.at })
    })
    asked.end()
  })
}

const alice = () => shared.box.people.alice ?? ''
const password = async () => (await shared.box.store.userBySub(alice()))?.passwordHash ?? ''

type Act = (holdings: Holdings) => Promise<unknown>

/**
 * What ends what: an act, what it ends, and how alice comes back to where she was. `renews`: all her tokens end, so that what is left gets a new
 * one with its next request, which a tunnel does not have.
 */
const ACTS: Readonly<
  Record<string, readonly [act: Act, ends: readonly Way[], back?: (() => Promise<unknown>) | 'renews']>
> = {
  'sign-out in a browser': [
    ({ jar }) => {
      const headers = { 'sec-fetch-site': 'same-origin', origin: shared.box.photos }
      return jar.send(`${shared.box.photos}/.audgate/sign-out`, { method: 'POST', headers })
    },
    ['session', 'ticket of the session'],
  ],
  'a person disabled': [
    () => shared.box.acts.disableUser(alice(), 'test'),
    WAYS,
    () => shared.box.acts.enableUser(alice(), 'test'),
  ],
  'sign-out everywhere': [
    () => shared.box.acts.signOutEverywhere(alice(), 'test'),
    ['session', 'other browser', 'ticket of the session'],
    'renews',
  ],
  'sign-out everywhere, app passwords too': [() => shared.box.acts.signOutEverywhere(alice(), 'test', true), WAYS],
  'a changed password': [async () => shared.box.acts.changePassword(alice(), await password(), {}, 'test'), WAYS],
  'a changed password that keeps app passwords': [
    async () => shared.box.acts.changePassword(alice(), await password(), { keepAppPasswords: true }, 'test'),
    ['session', 'other browser', 'ticket of the session'],
    'renews',
  ],
  'a lost group': [
    () => shared.box.acts.changeGroups(alice(), ['files'], 'test'),
    WAYS,
    () => shared.box.acts.changeGroups(alice(), ['photos', 'files'], 'test'),
  ],
  'revoke --client browser': [
    () => shared.box.acts.endClient('browser', 'test'),
    ['session', 'other browser', 'ticket of the session'],
  ],
  'revoke --client browser --user': [
    () => shared.box.acts.revokeUserClient(alice(), 'browser', 'test'),
    ['session', 'other browser', 'ticket of the session'],
  ],
  'revoke --user': [() => shared.box.acts.revokeUser(alice(), 'test'), WAYS],
  'app-password revoke': [
    ({ appPasswordId }) => shared.box.acts.revokeAppPassword(appPasswordId, 'test'),
    ['app password', 'ticket of the password'],
  ],
}

describe('what ends what', () => {
  for (const [name, [act, ends, back]] of Object.entries(ACTS))
    it(`${name}: ${ends.length === WAYS.length ? 'everything' : ends.join(', ')}; nothing else; tunnels close`, async () => {
      const holdings = await hold()
      assert.deepEqual(await open(holdings), WAYS)
      const tunnels = await Promise.all(WAYS.map((way) => tunnel(holdings.ways[way])))
      await act(holdings)
      const left = WAYS.filter((way) => !ends.includes(way))
      assert.deepEqual(await open(holdings), left)
      const closed = () => WAYS.filter((_, i) => tunnels[i]?.closedAt() !== undefined)
      await until(() => ends.every((way) => closed().includes(way)), 'the tunnels close')
      if (back !== 'renews') assert.deepEqual(closed(), ends)
      if (typeof back === 'function') await back()
    })

  it('in process within 50 ms: the next request is refused and the tunnel is closed, by session, app password and ticket', async (context) => {
    const took: Record<'refused' | 'closed', number[]> = { refused: [], closed: [] }
    for (const [name, wanted] of [
      ['revoke --client browser --user', ['session', 'ticket of the session']],
      ['app-password revoke', ['app password', 'ticket of the password']],
    ] as const)
      for (let round = 0; round < 5; round += 1) {
        const holdings = await hold()
        const tunnels = await Promise.all(wanted.map((way) => tunnel(holdings.ways[way])))
        // So that a first use is not what is measured.
        assert.deepEqual(await open(holdings), WAYS)
        const before = performance.now()
        await ACTS[name]?.[0](holdings)
        for (const way of wanted) assert.equal(await status(holdings.ways[way]), 401, way)
        took.refused.push((performance.now() - before) / wanted.length)
        await until(() => tunnels.every(({ closedAt }) => closedAt() !== undefined), 'the tunnels close')
        took.closed.push(...tunnels.map(({ closedAt }) => (closedAt() ?? Number.NaN) - before))
      }
    // The median: what else the machine does meanwhile is in single rounds, and the act's own transaction is in all of them.
    const median = (all: readonly number[]) => all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)] ?? Number.NaN
    context.diagnostic(`refused after ${median(took.refused)} ms, closed after ${median(took.closed)} ms`)
    assert.ok(median(took.refused) <= 50, `refused after ${took.refused.map(Math.round)} ms`)
    assert.ok(median(took.closed) <= 50, `closed after ${took.closed.map(Math.round)} ms`)
  })

  it('a password changed in the account: this browser goes on, others end, and its sign-out still ends it everywhere', async () => {
    const { box } = shared
    const holdings = await hold()
    const { jar } = holdings
    await jar.signIn(`${box.files}/`)
    const account = await jar.open(`${box.publicUrl}/account`)
    const form = formWith(account, 'new_password')
    const next = 'a rather different battery'
    const typed = { current_password: ALICE.password, new_password: next, repeat_password: next }
    const body = new URLSearchParams({ ...Object.fromEntries(form.fields), ...typed }).toString()
    const headers = { 'content-type': 'application/x-www-form-urlencoded', origin: box.publicUrl }
    const done = await jar.open(new URL(form.action, account.url).href, { method: 'POST', headers, body })
    assert.match(done.text, /Your password was changed/)
    try {
      assert.deepEqual(await open(holdings), ['session', 'ticket of the session'])
      assert.equal((await jar.send(`${box.files}/a`, { headers: FETCH })).status, 200)
      await ACTS['sign-out in a browser']?.[0](holdings)
      assert.deepEqual(await open(holdings), [])
      assert.equal((await jar.send(`${box.files}/a`, { headers: FETCH })).status, 401)
      assert.match((await jar.open(`${box.photos}/`)).text, /name="password"/)
    } finally {
      await box.acts.changePassword(alice(), (await createPasswords().hash(ALICE.password)) ?? '', {}, 'test')
    }
  })
})
