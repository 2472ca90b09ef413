import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type BlackBox, type Called, callUrl, startBlackBox, within } from '../support/served-issuer.ts'

const API = '/admin/api/v1'

describe('the operator’s API', () => {
  const under: { box: BlackBox; token: string } = { box: undefined as never, token: '' }
  const call = (path: string, method = 'GET', body?: object, headers: Record<string, string> = {}): Promise<Called> =>
    callUrl(
      `${under.box.url}${API}${path}`,
      { authorization: `Bearer ${under.token}`, 'content-type': 'application/json', ...headers },
      method,
      body === undefined ? undefined : JSON.stringify(body),
    )
  const signIn = async (name: string, scope: string) =>
    (await under.box.signIn(name, { scope, resource: [`${under.box.url}/admin/api`] })).access
  before(async () => {
    under.box = await startBlackBox()
    const { box } = under
    await box.addUser('alice', 'admins,photos')
    await box.addUser('bob', 'photos')
    await box.addApp('cli')
    under.token = await signIn('alice', 'admin:read admin:write')
  })
  after(() => under.box.close())

  it('answers 401 with the metadata of its resource everywhere without a token', async () => {
    for (const path of ['/admin/api', `${API}/people`, `${API}/nothing`, '/admin/api/%61']) {
      const answer = await callUrl(`${under.box.url}${path}`, {})
      assert.equal(answer.status, 401, path)
      const metadata = `${under.box.url}/.well-known/oauth-protected-resource/admin/api`
      assert.ok(answer.headers.get('www-authenticate')?.includes(`resource_metadata="${metadata}"`))
      const document = await callUrl(metadata, {})
      assert.equal(document.body.resource, `${under.box.url}/admin/api`)
    }
  })
  it('takes no token that an administrator has for another resource', async () => {
    const { access } = await under.box.signIn('alice')
    const answer = await callUrl(`${under.box.url}${API}/people`, { authorization: `Bearer ${access}` })
    assert.deepEqual([answer.status, answer.reason], [401, 'audience_mismatch'])
  })
  it('answers 403 to a write with admin:read alone', async () => {
    const access = await signIn('alice', 'admin:read')
    const answer = await callUrl(`${under.box.url}${API}/people`, { authorization: `Bearer ${access}` }, 'POST', '{}')
    assert.deepEqual([answer.status, answer.reason], [403, 'insufficient_scope'])
  })
  it('answers 404 for an unknown path with a token', async () => {
    const answer = await call('/nothing')
    assert.deepEqual([answer.status, answer.reason], [404, 'not_found'])
  })
  it('answers every read by a body that its own schema accepts, and lists each in its description', async () => {
    const { body } = await call('/openapi.json')
    const paths = Object.keys(body.paths as object)
    assert.ok(paths.includes(`${API}/people/{sub}`), paths.join(' '))
    for (const path of [
      ...['/overview', '/overview?window=24h', '/decisions', '/routes', '/routes/photos', '/resources', '/access'],
      ...['/people', '/people/alice', '/people/alice/factors', '/people/alice/sessions', '/groups', '/clients'],
      ...['/clients/cli', '/authorizations', '/revocations', '/keys', '/audit', '/system'],
    ]) {
      const answer = await call(path)
      assert.equal(answer.status, 200, `${path}: ${JSON.stringify(answer.body)}`)
    }
  })
  it('refuses fields that it does not know, and says which', async () => {
    const answer = await call('/people?colour=red')
    assert.deepEqual([answer.status, answer.reason], [400, 'invalid_request'])
    assert.match(JSON.stringify(answer.body.errors), /colour/)
  })
  it('finds the refusal of a known caller by its request id, with checks that end with its reason', async () => {
    const { access } = await under.box.signIn('bob')
    const refused = await under.box.call(access, '/files/a?secret=1')
    const id = refused.headers.get('x-request-id')
    await within(2_000, async () => {
      const answer = await call(`/decisions/${id}`)
      return answer.status === 200 ? undefined : JSON.stringify(answer.body)
    })
    const { body } = await call(`/decisions/${id}`)
    const checks = body.checks as { good: boolean; reason?: string }[]
    assert.equal(checks.at(-1)?.reason, 'audience_mismatch')
    assert.doesNotMatch(JSON.stringify(body), /secret=1/)
    assert.equal((body.now as { outcome: string }).outcome, 'refused')
  })
})
