import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type BlackBox, callUrl, startBlackBox, within } from '../support/served-issuer.ts'

describe('the operator’s API before worker processes', () => {
  const under: { box: BlackBox; token: string } = { box: undefined as never, token: '' }
  const signIn = async () => {
    const { box } = under
    const { access } = await box.signIn('alice', { scope: 'admin:read', resource: [`${box.url}/admin/api`] })
    return access
  }
  const ask = (path: string) =>
    callUrl(`${under.box.url}/admin/api/v1${path}`, { authorization: `Bearer ${under.token}` })
  before(async () => {
    under.box = await startBlackBox({ settings: 'workers: 2' })
    await under.box.addUser('alice', 'admins,photos')
    await under.box.addApp('cli')
    under.token = await signIn()
  })
  after(() => under.box.close())

  it('finds the refusals that any of them answered, and one of a known caller after a restart', async () => {
    const { access } = await under.box.signIn('alice')
    const ids: string[] = []
    for (let i = 0; i < 6; i += 1) {
      const refused = await under.box.call(i % 2 === 0 ? access : undefined, '/files/a', 'GET')
      ids.push(refused.headers.get('x-request-id') ?? '')
    }
    for (const id of ids) {
      await within(2_000, async () => {
        const { status, body } = await ask(`/decisions/${id}`)
        return status === 200 ? undefined : JSON.stringify(body)
      })
    }
    await under.box.restart()
    under.token = await signIn()
    const kept = await ask(`/decisions/${ids[0]}`)
    assert.deepEqual([kept.status, kept.body.reason], [200, 'audience_mismatch'])
    const listed = (await ask('/decisions?outcome=refused')).body.items as { request_id: string }[]
    assert.ok(listed.some(({ request_id: id }) => id === ids[0]))
  })
  it('sums up what all of them carried', async () => {
    await under.box.call(undefined)
    const { body } = await ask('/overview')
    assert.ok((body.totals as { refused: number }).refused > 0)
    assert.equal((await ask('/system')).body.workers, 2)
  })
})
