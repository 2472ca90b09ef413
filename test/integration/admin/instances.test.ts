import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Person, redeem } from '../../support/issuer/browser-less-person.ts'
import { type Called, callUrl, within } from '../../support/issuer/served-issuer.ts'
import { REDIRECT, startTwoInstances, type TwoInstances } from '../../support/several-instances.ts'

const ROUNDS = 6

describe('the operator’s API of two gateways on one database', () => {
  let two: TwoInstances
  let robot = ''
  before(async () => {
    two = await startTwoInstances()
    for (const name of ['zoe', 'yan']) await two.addPerson(name, 'admins')
    const allow = `${two.publicUrl}/admin/api=admin:read,admin:write`
    const added = await two.command(['client', 'add', 'robot', '--type', 'service', '--allow', allow, '--json'])
    const { client_secret: secret } = JSON.parse(added)
    const answer = await fetch(`${two.publicUrl}/oauth/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`robot:${secret}`).toString('base64')}`, connection: 'close' },
      body: new URLSearchParams({ grant_type: 'client_credentials', resource: `${two.publicUrl}/admin/api` }),
    })
    const { access_token: token }: { access_token?: string } = JSON.parse(await answer.text())
    robot = token ?? ''
  })
  after(() => two.close())

  const ask = (url: string, token: string, method = 'GET', body?: object, more: Record<string, string> = {}) =>
    callUrl(
      url,
      { authorization: `Bearer ${token}`, connection: 'close', 'content-type': 'application/json', ...more },
      method,
      body === undefined ? undefined : JSON.stringify(body),
    )
  /** By the balancer: each to the other one. */
  const call = (token: string, path: string, method?: string, body?: object, more?: Record<string, string>) =>
    ask(`${two.publicUrl}/admin/api/v1${path}`, token, method, body, more)
  const signIn = async (name: string) => {
    const scope = 'admin:read admin:write'
    const asked = { clientId: 'app', redirectUri: REDIRECT, scope, resource: `${two.publicUrl}/admin/api` }
    const attempt = await new Person(two.publicUrl, name).authorize(asked)
    const { body } = await redeem(two.publicUrl, attempt, { ...asked, headers: { connection: 'close' } })
    return body.access_token ?? ''
  }
  const instanceOf = ({ headers }: Called) => headers.get('x-request-id')?.split('-')[0]

  it(`of two that disable the last two administrators at the same time one is refused: ${ROUNDS} times over`, async () => {
    const { store, acts } = await two.openActs()
    const answered = new Set<string | undefined>()
    for (let round = 0; round < ROUNDS; round += 1) {
      const answers = await Promise.all(['zoe', 'yan'].map((name) => call(robot, `/people/${name}/disable`, 'POST')))
      const said = answers.map(({ status, reason }) => `${status} ${reason ?? ''}`.trim()).toSorted()
      assert.deepEqual(said, ['200', '409 last_admin'])
      for (const answer of answers) answered.add(instanceOf(answer))
      for (const { sub, disabled } of await store.users()) if (disabled) await acts.enableUser(sub, 'cli')
    }
    assert.equal(answered.size, 2, 'both took part')
  })
  it('of two who demote each other at the same time one stays', async () => {
    const { store } = await two.openActs()
    const tokens = { zoe: await signIn('zoe'), yan: await signIn('yan') }
    const demoted = await Promise.all(
      (
        [
          ['zoe', 'yan'],
          ['yan', 'zoe'],
        ] as const
      ).map(async ([by, whom]) => {
        const tag = (await call(tokens[by], `/people/${whom}`)).headers.get('etag') ?? ''
        return call(tokens[by], `/people/${whom}`, 'PATCH', { groups: ['photos'] }, { 'if-match': tag })
      }),
    )
    assert.equal(demoted.filter(({ status }) => status === 200).length, 1, JSON.stringify(demoted.map((d) => d.body)))
    const left = (await store.users()).filter(({ groups }) => groups.includes('admins'))
    assert.equal(left.length, 1)
  })
  it('a refusal of a known caller that either answered is found at both, with its checks', async () => {
    const { access } = await two.signIn()
    const ids: string[] = []
    for (const { url } of [two.a, two.b]) {
      const refused = await ask(`${url}/photos/a?secret=1`, access, 'DELETE')
      assert.equal(refused.status >= 401, true)
      ids.push(refused.headers.get('x-request-id') ?? '')
    }
    for (const id of ids) {
      await bySide(`/decisions/${id}`, ({ status, body }) => {
        const checks = (body.checks ?? []) as { reason?: string }[]
        return status === 200 && checks.at(-1)?.reason === body.reason
      })
    }
    await bySide('/decisions?person=alice', ({ body }) => {
      const items = body.items as { request_id: string }[]
      return (
        items
          .map(({ request_id: id }) => id)
          .toSorted()
          .join() === ids.toSorted().join()
      )
    })
  })

  /** Until both answer well. */
  async function bySide(path: string, isGood: (answer: Called) => boolean): Promise<void> {
    const good = new Set<string | undefined>()
    await within(5_000, async () => {
      const answer = await call(robot, path)
      if (isGood(answer)) good.add(instanceOf(answer))
      return good.size === 2 ? undefined : `${[...good]} ${JSON.stringify(answer.body)}`
    })
  }
})
