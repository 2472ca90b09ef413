import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { expireLinks, liveLink, MOST_OPEN_LINKS, makeLink, voidLink } from '../../../../src/issuer/people/links.ts'
import type { UserRecord } from '../../../../src/store/store.ts'
import { type IssuerUnderTest, PASSWORD, startIssuer } from '../../../support/issuer/issuer-under-test.ts'

const NEW = 'a wholly new password'

describe('one-time links', () => {
  let issuer: IssuerUnderTest
  let alice: UserRecord
  let skewMs = 0
  const now = (): number => Date.now() + skewMs
  const seconds = (): number => Math.floor(now() / 1000)
  const secretOf = (url: string): string => new URL(url).searchParams.get('link') ?? ''
  const made = async (kind: 'invite' | 'recover', user: UserRecord, by = alice.sub, ttl = 3600): Promise<string> => {
    const link = await makeLink(issuer.store, issuer.url, { kind, user, seconds: ttl, reset: [] }, { by }, now())
    assert.equal(link.kind, 'made')
    return link.kind === 'made' ? link.url : ''
  }
  const newcomer = async (username: string): Promise<UserRecord> => {
    const { addUser } = await import('../../../../src/issuer/people/people.ts')
    const added = await addUser(issuer.store, { username, groups: ['photos'], passwordHash: undefined }, now())
    assert.equal(added.kind, 'added')
    return (await issuer.store.userByName(username)) as UserRecord
  }
  const post = (url: string, password = NEW, again = password): Promise<Response> =>
    fetch(`${issuer.url}/account/link`, {
      method: 'POST',
      redirect: 'manual',
      body: new URLSearchParams({ link: secretOf(url), new_password: password, repeat_password: again }),
    })
  const signsIn = async (username: string, password: string): Promise<boolean> => {
    const body = new URLSearchParams({ username, password })
    const answer = await fetch(`${issuer.url}/account/sign-in`, { method: 'POST', redirect: 'manual', body })
    return answer.status === 303
  }

  before(async () => {
    issuer = await startIssuer({ now })
    alice = await issuer.addPerson('alice', ['admins'], { name: 'Alice' })
  })
  after(() => issuer.close())

  it('a link that was fetched ten times still works, says who invites and to what, and is told to nobody by the browser', async () => {
    const url = await made('invite', await newcomer('fetched'))
    const pages = []
    for (let count = 0; count < 10; count += 1) pages.push(await fetch(url))
    assert.deepEqual([...new Set(pages.map(({ status }) => status))], [200])
    assert.equal(pages[0]?.headers.get('referrer-policy'), 'strict-origin')
    const text = (await pages[9]?.text()) ?? ''
    assert.match(text, /<bdi class="name">Alice<\/bdi> invites you/)
    assert.match(text, /Photo library: See photos/)
    const answer = await post(url)
    assert.deepEqual([answer.status, answer.headers.get('location')], [303, '/account/link/done'])
    assert.equal(await signsIn('fetched', NEW), true)
  })

  it('of ten parallel posts of one link one sets the password, and no answer sets a session cookie', async () => {
    const url = await made('invite', await newcomer('raced'))
    const passwords = Array.from({ length: 4 }, (_, index) => `${NEW} ${index}`)
    const answers = await Promise.all(passwords.map((password) => post(url, password)))
    assert.deepEqual(answers.map(({ status }) => status).sort(), [303, 410, 410, 410])
    for (const answer of answers) assert.doesNotMatch(answer.headers.get('set-cookie') ?? '', /session=[^;]/)
    const winner = passwords[answers.findIndex(({ status }) => status === 303)] ?? ''
    assert.equal(await signsIn('raced', winner), true)
  })

  it('used, expired, voided, unknown and broken links get one and the same page', async () => {
    const used = await made('invite', await newcomer('used'))
    await post(used)
    const expired = await made('invite', await newcomer('late'), alice.sub, 60)
    const person = await newcomer('voided')
    const voided = await made('invite', person)
    const [open] = await issuer.store.openLinks(person.sub, seconds())
    assert.equal(await voidLink(issuer.store, open?.id ?? '', alice.sub, { by: 'cli' }, now()), false)
    assert.equal(await voidLink(issuer.store, open?.id ?? '', person.sub, { by: 'cli' }, now()), true)
    skewMs += 61_000
    const dead = [
      used,
      expired,
      voided,
      `${issuer.url}/account/link?link=${'A'.repeat(43)}`,
      `${issuer.url}/account/link`,
    ]
    const pages = await Promise.all(dead.flatMap((url) => [fetch(url), post(url)]))
    const texts = await Promise.all(pages.map(async (page) => `${page.status} ${await page.text()}`))
    assert.equal(new Set(texts).size, 1, texts.join('\n'))
    assert.match(texts[0] ?? '', /^410 /)
  })

  it('a bad password or two different ones use nothing up', async () => {
    const url = await made('invite', await newcomer('careless'))
    assert.equal((await post(url, 'short')).status, 400)
    const different = await post(url, NEW, `${NEW}!`)
    assert.deepEqual([different.status, /not the same/.test(await different.text())], [400, true])
    assert.equal((await post(url)).status, 303)
  })

  it('a person has five open links at most, and the use of one voids the others', async () => {
    const person = await newcomer('many')
    const urls = []
    for (let count = 0; count < MOST_OPEN_LINKS; count += 1) urls.push(await made('invite', person))
    const sixth = { kind: 'invite', user: person, seconds: 60, reset: [] } as const
    assert.equal((await makeLink(issuer.store, issuer.url, sixth, { by: 'cli' }, now())).kind, 'too_many')
    assert.equal((await post(urls[2] ?? '')).status, 303)
    assert.deepEqual(await Promise.all(urls.map(async (url) => (await fetch(url)).status)), Array(5).fill(410))
  })

  it('links are void when their maker is no administrator any more, and stay void when the office comes back', async () => {
    const mallory = await issuer.addPerson('mallory', ['admins', 'photos'])
    const person = await newcomer('orphan')
    const url = await made('invite', person, mallory.sub)
    assert.equal((await fetch(url)).status, 200)
    await issuer.acts.changeGroups(mallory.sub, ['photos'], 'test')
    assert.equal((await fetch(url)).status, 410)
    await issuer.acts.changeGroups(mallory.sub, ['photos', 'admins'], 'test')
    assert.equal((await fetch(url)).status, 410)
    const second = await made('invite', person, mallory.sub)
    await issuer.acts.disableUser(mallory.sub, 'test')
    await issuer.acts.enableUser(mallory.sub, 'test')
    assert.equal((await fetch(second)).status, 410)
    assert.equal((await fetch(await made('invite', person, 'client:robot'))).status, 410)
  })

  it('nobody who has a way in is invited, and an invitation is void when its person finds one', async () => {
    const invitation = { kind: 'invite', user: alice, seconds: 60, reset: [] } as const
    assert.equal((await makeLink(issuer.store, issuer.url, invitation, { by: 'cli' }, now())).kind, 'has_sign_in')
    const person = await newcomer('settled')
    const url = await made('invite', person)
    await issuer.store.updateUser(person.sub, { passwordHash: alice.passwordHash })
    assert.equal((await fetch(url)).status, 410)
  })

  it('a link of before is void once its person’s password was changed, or the account disabled', async () => {
    const acts: Readonly<Record<string, (sub: string) => Promise<unknown>>> = {
      changed: (sub) => issuer.acts.changePassword(sub, alice.passwordHash ?? '', {}, 'test'),
      disabled: async (sub) => {
        await issuer.acts.disableUser(sub, 'test')
        await issuer.acts.enableUser(sub, 'test')
      },
    }
    for (const [name, act] of Object.entries(acts)) {
      const user = await issuer.addPerson(`recovering-${name}`, ['photos'])
      const url = await made('recover', user)
      const other = await made('recover', alice)
      await act(user.sub)
      assert.equal((await post(url)).status, 410, name)
      assert.equal(await signsIn(user.username, NEW), false, name)
      assert.equal((await fetch(url)).status, 410, name)
      assert.equal((await fetch(other)).status, 200, 'that of somebody else')
      assert.equal((await fetch(await made('recover', user))).status, 200, 'one of after it')
    }
  })

  it('recover ends sessions and tokens when it is used, not when it is made', async () => {
    const bob = await issuer.addPerson('bob', ['photos'])
    const body = new URLSearchParams({ username: 'bob', password: PASSWORD })
    const signedIn = await fetch(`${issuer.url}/account/sign-in`, { method: 'POST', redirect: 'manual', body })
    const cookie = signedIn.headers
      .getSetCookie()
      .map((each) => each.split(';')[0])
      .join('; ')
    const account = async (): Promise<boolean> =>
      /Who you are/.test(await (await fetch(`${issuer.url}/account`, { headers: { cookie } })).text())
    const ended = async (): Promise<boolean> =>
      (await issuer.store.revocations(0, seconds())).some(({ kind, key }) => kind === 'sub' && key === bob.sub)
    const url = await made('recover', bob)
    await fetch(url)
    assert.deepEqual([await account(), await ended(), await signsIn('bob', PASSWORD)], [true, false, true])
    assert.equal((await post(url)).status, 303)
    assert.deepEqual([await account(), await ended(), await signsIn('bob', PASSWORD)], [false, true, false])
    assert.equal(await signsIn('bob', NEW), true)
  })

  it('a form of another site uses nothing up', async () => {
    const url = await made('invite', await newcomer('forged'))
    const body = new URLSearchParams({ link: secretOf(url), new_password: NEW, repeat_password: NEW })
    const headers = { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }
    const answer = await fetch(`${issuer.url}/account/link`, { method: 'POST', redirect: 'manual', body, headers })
    assert.equal(answer.status, 410)
    assert.equal((await fetch(url)).status, 200)
  })

  it('making, using, voiding and expiring each leave one audit line, and the secret stands nowhere', async () => {
    const person = await newcomer('audited')
    const urls = [await made('invite', person), await made('invite', person, alice.sub, 60)]
    skewMs += 61_000
    await expireLinks(issuer.store, seconds())
    await post(urls[0] ?? '')
    const lines = (await issuer.store.audits(200)).filter(({ detail }) => detail.sub === person.sub)
    assert.deepEqual(
      lines.map(({ event }) => event),
      ['link.used', 'link.expired', 'link.made', 'link.made'],
    )
    assert.deepEqual([lines[0]?.detail.by, lines[2]?.detail.by], [person.sub, alice.sub])
    const kept = JSON.stringify([await issuer.store.audits(1000), issuer.events])
    for (const url of urls) {
      assert.equal(kept.includes(secretOf(url)), false)
      assert.equal(await liveLink(issuer.store, secretOf(url), ['admins'], seconds()), undefined)
    }
    const secrets = urls.map(secretOf)
    for (const file of readdirSync(issuer.folder)) {
      const bytes = readFileSync(`${issuer.folder}/${file}`)
      for (const secret of secrets) assert.equal(bytes.includes(secret), false, file)
    }
  })
})
