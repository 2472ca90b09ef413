import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type BlackBox, type Called, callUrl, startBlackBox, within } from '../../support/issuer/served-issuer.ts'

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

describe('what the operator’s API changes', () => {
  const under: { box: BlackBox; token: string; robot: string } = { box: undefined as never, token: '', robot: '' }
  const as = (token: string, path: string, method = 'GET', body?: object, headers: Record<string, string> = {}) =>
    callUrl(
      `${under.box.url}${API}${path}`,
      {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      method,
      body === undefined ? undefined : JSON.stringify(body),
    )
  const call = (path: string, method = 'GET', body?: object, headers: Record<string, string> = {}) =>
    as(under.token, path, method, body, headers)
  const linesOf = async (answer: Called) => {
    const { items } = (await call('/audit?limit=200')).body as {
      items: { event: string; detail: { request_id?: string } }[]
    }
    const id = answer.headers.get('x-request-id')
    return items.filter(({ detail }) => detail.request_id === id).map(({ event }) => event)
  }
  before(async () => {
    under.box = await startBlackBox()
    const { box } = under
    await box.addUser('alice', 'admins,photos')
    await box.addUser('bob', 'photos')
    await box.addApp('cli')
    const admin = `${box.url}/admin/api`
    const secret = await box.addSecretClient('robot', 'service', '--allow', `${admin}=admin:read,admin:write`)
    const { access } = await box.signIn('alice', { scope: 'admin:read admin:write', resource: [admin] })
    under.token = access
    const answer = await fetch(`${box.url}/oauth/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`robot:${secret}`).toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', resource: admin }),
    })
    under.robot = String(((await answer.json()) as { access_token: string }).access_token)
  })
  after(() => under.box.close())

  it('a client is made once, and its secret is in the first answer only', async () => {
    const body = { type: 'service', name: 'Backup', allow: { [`${under.box.url}/photos`]: ['photos:read'] } }
    const first = await call('/clients/x', 'PUT', body, { 'if-none-match': '*' })
    assert.equal(first.status, 201, JSON.stringify(first.body))
    assert.equal(typeof first.body.client_secret, 'string')
    assert.deepEqual(await linesOf(first), ['client.added'])
    const second = await call('/clients/x', 'PUT', body, { 'if-none-match': '*' })
    assert.deepEqual([second.status, second.reason], [409, 'exists'])
    assert.deepEqual(await linesOf(second), [])
    const got = await call('/clients/x')
    assert.equal('client_secret' in got.body, false)
    const renamed = await call(
      '/clients/x',
      'PUT',
      { ...body, name: 'Copy' },
      { 'if-match': got.headers.get('etag') ?? '' },
    )
    assert.deepEqual([renamed.status, renamed.body.name], [200, 'Copy'])
  })
  it('a client has two secrets at most and one at least, and both are good', async () => {
    const { box } = under
    const made = await call(
      '/clients/two',
      'PUT',
      { type: 'service', name: 'two', allow: { [box.photos]: ['photos:read'] } },
      { 'if-none-match': '*' },
    )
    const added = await call('/clients/two/secrets', 'POST')
    assert.equal(added.status, 201, JSON.stringify(added.body))
    assert.deepEqual(await linesOf(added), ['client.secret.added'])
    assert.equal((await call('/clients/two/secrets', 'POST')).reason, 'two_secrets')
    const tokenWith = async (secret: unknown) =>
      (
        await fetch(`${box.url}/oauth/token`, {
          method: 'POST',
          headers: { authorization: `Basic ${Buffer.from(`two:${secret}`).toString('base64')}` },
          body: new URLSearchParams({ grant_type: 'client_credentials', resource: box.photos }),
        })
      ).status
    assert.deepEqual([await tokenWith(made.body.client_secret), await tokenWith(added.body.client_secret)], [200, 200])
    const { secrets } = (await call('/clients/two')).body as { secrets: { id: string }[] }
    assert.equal((await call(`/clients/two/secrets/${secrets[0]?.id}`, 'DELETE')).status, 204)
    assert.deepEqual([await tokenWith(made.body.client_secret), await tokenWith(added.body.client_secret)], [401, 200])
    assert.equal((await call(`/clients/two/secrets/${secrets[1]?.id}`, 'DELETE')).reason, 'last_secret')
    assert.equal((await call('/clients/cli/secrets', 'POST')).reason, 'public_client')
  })
  it('a change needs If-Match, a stale one gets the present object, and of twenty at once one wins', async () => {
    const missing = await call('/people/bob', 'PATCH', { name: 'Bob' })
    assert.deepEqual([missing.status, missing.reason], [428, 'precondition_required'])
    const stale = await call('/people/bob', 'PATCH', { name: 'Bob' }, { 'if-match': '"old"' })
    assert.deepEqual([stale.status, stale.reason], [412, 'stale'])
    assert.equal((stale.body.present as { username: string }).username, 'bob')
    const tag = (await call('/people/bob')).headers.get('etag') ?? ''
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => call('/people/bob', 'PATCH', { name: `Bob ${i}` }, { 'if-match': tag })),
    )
    assert.deepEqual(answers.map(({ status }) => status).toSorted(), [200, ...Array.from({ length: 19 }, () => 412)])
    const [winner] = answers.filter(({ status }) => status === 200)
    assert.ok(winner)
    assert.deepEqual(await linesOf(winner), ['user.changed'])
  })
  it('the last administrator who can sign in stays one', async () => {
    const { headers } = await call('/people/alice')
    const demoted = await call('/people/alice', 'PATCH', { groups: [] }, { 'if-match': headers.get('etag') ?? '' })
    assert.deepEqual([demoted.status, demoted.reason], [409, 'last_admin'])
    assert.equal((await call('/people/alice/disable', 'POST')).reason, 'last_admin')
  })
  it('a service client makes no links, no administrators and no clients with admin scopes', async () => {
    const robot = (path: string, method: string, body: object, headers = {}) =>
      as(under.robot, path, method, body, headers)
    const allow = { [`${under.box.url}/admin/api`]: ['admin:read'] }
    const refused = [
      await robot('/people/bob/links', 'POST', { kind: 'recover' }),
      await robot('/people', 'POST', { username: 'mallory', groups: ['admins'] }),
      await robot('/clients/y', 'PUT', { type: 'service', name: 'y', allow }, { 'if-none-match': '*' }),
    ]
    assert.deepEqual(
      refused.map(({ status, reason }) => [status, reason]),
      refused.map(() => [403, 'persons_only']),
    )
    assert.equal((await robot('/people', 'POST', { username: 'dora', groups: ['photos'] })).status, 201)
  })
  it('a person with an invitation leaves two lines under one request id', async () => {
    const answer = await call('/people', 'POST', { username: 'carol', groups: ['photos'], invite: true })
    assert.equal(answer.status, 201, JSON.stringify(answer.body))
    assert.match((answer.body.link as { url: string }).url, /^http/)
    assert.deepEqual((await linesOf(answer)).toSorted(), ['link.made', 'user.added'])
  })
  it('what would be issued is what the token endpoint issues, and what a request would get is what it gets', async () => {
    for (const [person, resource, scope, method] of [
      ['bob', 'photos', 'photos:read', 'GET'],
      ['bob', 'photos', 'photos:write', 'PUT'],
      ['alice', 'photos', 'photos:read photos:write', 'PUT'],
      ['bob', 'files', 'files:read', 'GET'],
    ] as const) {
      const url = `${under.box.url}/${resource}/a`
      const body = {
        person,
        client: 'cli',
        resource: `${under.box.url}/${resource}`,
        scopes: scope.split(' '),
        request: { method, url },
      }
      const tried = await call('/access/try', 'POST', body)
      assert.equal(tried.status, 200, JSON.stringify(tried.body))
      const { given } = tried.body.issue as { given: string[] }
      const signed = await under.box
        .signIn(person, { scope, resource: [`${under.box.url}/${resource}`] })
        .catch(() => undefined)
      assert.deepEqual(given, signed === undefined ? [] : String(signed.answer.body.scope).split(' '))
      const decision = tried.body.decision as { outcome: string; reason?: string }
      const real = await under.box.call(signed?.access, `/${resource}/a`, method)
      assert.equal(decision.outcome === 'ok' ? undefined : decision.reason, real.reason)
    }
  })
  it('a token is explained and ended, and a file is checked without coming into force', async () => {
    const { access } = await under.box.signIn('bob')
    const request = { method: 'GET', url: `${under.box.url}/photos/a` }
    const explained = await call('/tokens/explain', 'POST', { token: access, request })
    assert.deepEqual([explained.status, (explained.body.decision as { outcome: string }).outcome], [200, 'ok'])
    assert.equal((await call('/tokens/revoke', 'POST', { token: access })).status, 200)
    await within(2_000, async () =>
      (await under.box.call(access)).reason === 'revoked' ? undefined : 'it still passes',
    )
    const checked = await call('/config/check', 'POST', { text: `public_url: ${under.box.url}\nroute: []\n` })
    assert.equal((checked.body.problems as { line: number }[])[0]?.line, 2)
  })
  it('a file that is put in force and one that is refused leave a line with the digest', async () => {
    const file = join(under.box.folder, 'routes.yaml')
    const text = readFileSync(file, 'utf8')
    const linesOf = async (event: string) =>
      (await call(`/audit?event=${event}`)).body.items as { detail: { digest: string; by: string } }[]
    for (const [event, content] of [
      ['config.refused', `${text}\nnonsense: 1\n`],
      ['config.reloaded', `${text}# the same\n`],
    ] as const) {
      writeFileSync(file, content)
      await within(5_000, async () => ((await linesOf(event)).length > 0 ? undefined : event))
      const [line] = await linesOf(event)
      const digest = createHash('sha256').update(content).digest('hex').slice(0, 16)
      assert.deepEqual([line?.detail.digest, line?.detail.by], [digest, 'cli'])
    }
    assert.match(JSON.stringify((await call('/system')).body.config), /nonsense/)
  })
  it('the stream tells of decisions, and ends when its token does', async () => {
    const { access } = await under.box.signIn('alice', {
      scope: 'admin:read',
      resource: [`${under.box.url}/admin/api`],
    })
    const response = await fetch(`${under.box.url}${API}/decisions/stream`, {
      headers: { authorization: `Bearer ${access}` },
    })
    assert.equal(response.headers.get('content-type'), 'text/event-stream')
    const reading = response.text()
    await new Promise((resolve) => setImmediate(resolve))
    const refused = await under.box.call(undefined)
    await within(2_000, async () => {
      const found = await call(`/decisions/${refused.headers.get('x-request-id')}`)
      return found.status === 200 ? undefined : 'not kept yet'
    })
    assert.equal((await call('/tokens/revoke', 'POST', { token: access })).status, 200)
    const text = await reading
    assert.match(text, /event: decision/)
    assert.match(text, /event: end\ndata: \{"why":"revoked"\}/)
  })
})
