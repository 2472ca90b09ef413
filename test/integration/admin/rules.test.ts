import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { aClient } from '../../contract/store-records.ts'
import { type AdminGateway, startAdminGateway } from '../../support/admin-gateway.ts'
import { within } from '../../support/issuer/served-issuer.ts'
import { MINUTE, shiftClock } from '../../support/programs/shifted-clock.ts'

const RULES = `{ methods: [read], scopes: ["photos:read"] }
      - { methods: [PUT], scopes: ["photos:write"], max_age: 10m }
      - { methods: [DELETE], scopes: ["photos:write"], acr: mfa }`
const SETTINGS = 'admin: { readers: [auditors] }'
const ROUTE = '    set_headers: { X-Api-Key: sesame-of-the-upstream }'

describe('the operator’s API holds', () => {
  const under: { gate: AdminGateway; alice: string } = { gate: undefined as never, alice: '' }
  const call: AdminGateway['call'] = (...given) => under.gate.call(...given)
  const admin = (path: string, method = 'GET', body?: object, headers: Readonly<Record<string, string | null>> = {}) =>
    call(under.alice, path, method, body, headers)
  before(async () => {
    under.gate = await startAdminGateway({ rules: RULES, settings: SETTINGS, route: ROUTE })
    under.alice = await under.gate.signIn('alice')
  })
  after(() => under.gate.close())

  it('a person outside the groups is issued none of its scopes, and a reader only the one', async () => {
    const { gate } = under
    await gate.addPerson('rita', ['auditors'])
    await assert.rejects(gate.signIn('bob'), /invalid_scope|access_denied|may not|nothing/)
    const reader = await gate.signIn('rita')
    assert.equal((await call(reader, '/people')).status, 200)
    assert.deepEqual((await call(reader, '/clients/x/revoke', 'POST')).reason, 'insufficient_scope')
  })
  it('who is taken out of the group is refused within 50 ms, with a live token', async () => {
    const { gate } = under
    await gate.addPerson('tom', ['admins', 'photos'])
    const token = await gate.signIn('tom')
    const { headers } = await call(token, '/people/tom')
    const change = { groups: ['photos'] }
    assert.equal((await admin('/people/tom', 'PATCH', change, { 'if-match': headers.get('etag') })).status, 200)
    await within(50, async () => {
      const { reason } = await call(token, '/people')
      return reason === 'revoked' ? undefined : String(reason)
    })
  })
  it('somebody who has only been invited is no administrator who can sign in; another with a password is', async () => {
    const { gate } = under
    await admin('/people', 'POST', { username: 'una', groups: ['admins'], invite: true })
    assert.equal((await admin('/people/alice/disable', 'POST')).reason, 'last_admin')
    await gate.addPerson('vera', ['admins'])
    const { headers } = await admin('/people/vera')
    const answer = await admin('/people/vera', 'PATCH', { groups: [] }, { 'if-match': headers.get('etag') })
    assert.equal(answer.status, 200, 'alice is left')
    assert.equal((await admin('/people/una/disable', 'POST')).status, 200, 'who can’t sign in is never the last')
  })
  it('whoever has a second factor must have used it for what gives access', async () => {
    const { gate } = under
    const sub = await gate.addPerson('finn', ['admins'])
    const token = await gate.signIn('finn')
    assert.equal((await call(token, '/people/bob/links', 'POST', { kind: 'recover' })).status, 201)
    await gate.store.addAuthenticator({ sub, sealed: 'sealed', lastStep: 0, createdAt: 1 }, [])
    const refused = await call(token, '/people/bob/links', 'POST', { kind: 'recover' })
    assert.deepEqual([refused.status, refused.reason], [401, 'insufficient_authentication'])
    assert.match(refused.headers.get('www-authenticate') ?? '', /acr_values="mfa"/)
    assert.equal((await call(token, '/people/bob/sign-out', 'POST')).status, 200, 'taking away asks for none')
  })
  it('a walk by next shows each row that stands all the time once, while others come and go', async () => {
    const { gate } = under
    const standing = Array.from({ length: 30 }, (_, i) => `walk-${String(i).padStart(2, '0')}`)
    for (const name of standing) await gate.addPerson(name, ['walkers'])
    const seen: string[] = []
    let path = '/people?group=walkers&limit=4'
    for (let step = 0; path !== ''; step += 1) {
      const { items, next } = (await admin(path)).body as { items: { username: string }[]; next?: string }
      seen.push(...items.map(({ username }) => username))
      await gate.addPerson(`walk-${step % 2 === 0 ? '00' : '29'}-${step}`, ['walkers'])
      await gate.addPerson(`aaa-${step}`, ['walkers'])
      path = next === undefined ? '' : `/people?group=walkers&limit=4&cursor=${next}`
    }
    assert.deepEqual(
      seen.filter((name) => standing.includes(name)),
      standing,
    )
    assert.equal(new Set(seen).size, seen.length)
  })
  it('no answer holds a value of set_headers, nor the password of an upstream', async () => {
    const { gate } = under
    const url = `${gate.url}/photos/a`
    const tried = { person: 'bob', client: 'cli', resource: `${gate.url}/photos`, request: { method: 'GET', url } }
    const text = 'routes: [{ id: a, path: /, public: true, upstream: "http://u:hunter2@a.example.com" }]\n'
    const token = await gate.signIn('bob', 'photos:read', `${gate.url}/photos`)
    const answers = [
      ...(await Promise.all(
        ['/routes', '/routes/photos', '/resources', '/system', '/access'].map((path) => admin(path)),
      )),
      await admin('/access/try', 'POST', tried),
      await admin('/tokens/explain', 'POST', { token, request: tried.request }),
      await admin('/config/check', 'POST', { text: `public_url: ${gate.url}\n${text}` }),
    ]
    for (const { status, body } of answers) {
      assert.equal(status, 200, JSON.stringify(body))
      assert.doesNotMatch(JSON.stringify(body), /sesame|hunter2/)
    }
    const { upstream } = (answers[5]?.body.decision ?? {}) as { upstream: { headers: string[][] } }
    assert.deepEqual(
      upstream.headers.find(([name]) => name === 'X-Api-Key'),
      ['X-Api-Key', '••••'],
    )
    assert.notDeepEqual(answers[7]?.body.problems, [])
  })
  it('says where a route stands in the file, and how many instances there are', async () => {
    const { items } = (await admin('/routes')).body as { items: { id: string; line: number }[] }
    const lines = readFileSync(join(under.gate.gateway.folder, 'routes.yaml'), 'utf8').split('\n')
    for (const { id, line } of items) assert.match(lines[line - 1] ?? '', new RegExp(`^ *- id: ${id}$`))
    assert.equal((await admin('/system')).body.instances, 1)
  })
  it('a client keeps what a refresh gets while a better sign-in is wanted, and says when its secrets were used', async () => {
    const { gate } = under
    const body = {
      type: 'service',
      name: 'S',
      allow: { [`${gate.url}/photos`]: ['photos:read'] },
      step_up: 'reauthorize',
    }
    const made = await admin('/clients/s', 'PUT', body, { 'if-none-match': '*' })
    assert.equal(made.body.step_up, 'reauthorize', JSON.stringify(made.body))
    const before = await admin('/clients/s')
    assert.deepEqual(Object.keys((before.body.secrets as object[])[0] ?? {}), ['id', 'created_at'])
    const token = await fetch(`${gate.url}/oauth/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`s:${made.body.client_secret}`).toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', resource: `${gate.url}/photos` }),
    })
    assert.equal(token.status, 200)
    const [secret] = (await admin('/clients/s')).body.secrets as { last_used_at: string }[]
    assert.ok(Date.now() - Date.parse(secret?.last_used_at ?? '') < 60_000)
    const changed = await admin(
      '/clients/s',
      'PUT',
      { ...body, step_up: 'keep' },
      { 'if-match': before.headers.get('etag') },
    )
    assert.equal(changed.body.step_up, 'keep')
  })
  it('an export is all that matches, whatever a page holds, and leaves a line itself', async () => {
    const { gate } = under
    for (let i = 0; i < 450; i += 1) await gate.store.audit('=cmd', { sub: `usr_${i}`, by: 'cli' }, 1_000 + i)
    const read = async (accept: string, query: string) => {
      const answer = await fetch(`${gate.url}/admin/api/v1/audit?event=%3Dcmd${query}`, {
        headers: { authorization: `Bearer ${under.alice}`, accept },
      })
      return (await answer.text()).split('\n').filter((line) => line !== '')
    }
    const rows = await read('application/x-ndjson', '')
    assert.deepEqual([rows.length, new Set(rows.map((row) => JSON.parse(row).id)).size], [450, 450])
    assert.equal((await read('application/x-ndjson', '&limit=3')).length, 3)
    assert.equal((await read('application/x-ndjson', '&until=1970-01-01T00:17:00Z')).length, 21)
    const [head, first] = await read('text/csv', '')
    assert.equal(head, '"id","at","event","origin","detail"\r')
    assert.match(first ?? '', /,"'=cmd",/, 'no spreadsheet carries it out')
    assert.equal(((await admin('/audit?event=audit.exported')).body.items as object[]).length, 4)
  })
  it('a text that is checked opens no file and tells no variable', async () => {
    const { gate } = under
    const secret = join(gate.gateway.folder, 'secret.txt')
    writeFileSync(secret, 'hunter2-of-a-file')
    const text = `public_url: ${gate.url}
mail: { smtp: "smtp://mail.example.com", from: "\${file:${secret}} <gate@example.com>" }
store: postgres://gate@db.example.com/gate
issuer: { registration: token }
resources:
  - { id: "${gate.url}/photos", name: "\${file:${secret}} \${PATH}", scopes: { "photos:read": "\${file:/dev/zero}" }, grants: [{ groups: ["\${file:${secret}}"], scopes: ["photos:read"] }] }
routes:
  - { id: photos, path: /photos, resource: "${gate.url}/photos", upstream: "https://a.example.com", upstream_tls: { ca: /dev/zero }, rules: [{ methods: [read], scopes: ["photos:read"] }] }
`
    const answer = await admin('/config/check', 'POST', { text })
    assert.deepEqual([answer.status, answer.body.problems], [200, []], JSON.stringify(answer.body))
    assert.match(JSON.stringify(answer.body.changes), /value-of-a-file/)
    assert.ok(!JSON.stringify(answer.body).includes('hunter2') && !JSON.stringify(answer.body).includes('/bin'))
    const missing = await admin('/config/check', 'POST', { text: text.replaceAll(secret, `${secret}.none`) })
    assert.deepEqual(missing.body.problems, answer.body.problems)
  })
  it('tries a request with the sign-in that is said of it', async () => {
    const { gate } = under
    await gate.addPerson('eddi', ['editors'])
    const reasonOf = async (method: string, signedIn?: object) => {
      const body = {
        ...{ person: 'eddi', client: 'cli', resource: `${gate.url}/photos` },
        request: { method, url: `${gate.url}/photos/a` },
        ...(signedIn === undefined ? {} : { signed_in: signedIn }),
      }
      const { decision } = (await admin('/access/try', 'POST', body)).body as { decision: { reason?: string } }
      return decision.reason
    }
    assert.equal(await reasonOf('PUT'), undefined)
    assert.equal(await reasonOf('PUT', { age: 700 }), 'insufficient_authentication')
    assert.equal(await reasonOf('DELETE'), 'insufficient_authentication')
    assert.equal(await reasonOf('DELETE', { acr: 'phr', age: 9_999 }), undefined)
  })
  it('“would it pass now?” turns to yes when the missing group is there, by the sign-in that was kept', async () => {
    const { gate } = under
    await gate.addPerson('nora', ['photos'])
    const token = await gate.signIn('nora', 'photos:read', `${gate.url}/photos`)
    const refused = await fetch(`${gate.url}/photos/a?token=x`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${token}` },
    })
    const path = `/decisions/${refused.headers.get('x-request-id')}`
    await within(2_000, async () => ((await admin(path)).status === 200 ? undefined : 'not kept yet'))
    const before = (await admin(path)).body
    assert.deepEqual(
      [before.reason, before.now],
      ['insufficient_scope', { outcome: 'refused', reason: 'insufficient_scope' }],
    )
    const { headers } = await admin('/people/nora')
    await admin('/people/nora', 'PATCH', { groups: ['editors'] }, { 'if-match': headers.get('etag') })
    assert.deepEqual((await admin(path)).body.now, { outcome: 'ok' })
  })
  it('a refusal of a revoked token is found by its person, and would pass with a new one', async () => {
    const { gate } = under
    await gate.addPerson('olga', ['photos'])
    const token = await gate.signIn('olga', 'photos:read', `${gate.url}/photos`)
    await admin('/people/olga/sign-out', 'POST')
    const refused = await fetch(`${gate.url}/photos/a`, { headers: { authorization: `Bearer ${token}` } })
    assert.equal(refused.status, 401)
    const id = refused.headers.get('x-request-id')
    const found = async () => ((await admin('/decisions?person=olga')).body.items as { request_id: string }[])[0]
    await within(2_000, async () => ((await found())?.request_id === id ? undefined : 'not kept yet'))
    const { body } = await admin(`/decisions/${id}`)
    assert.deepEqual([body.reason, body.now], ['revoked', { outcome: 'ok' }])
    assert.ok(!JSON.stringify(body).includes(token))
  })
  it('a write leaves one audit line under its request id, and a failed one none', async () => {
    const { gate } = under
    const linesOf = async (id: string | null) => {
      const { items } = (await admin('/audit?limit=200')).body as { items: Line[] }
      return items.filter(({ detail }) => detail.request_id === id)
    }
    await gate.addPerson('pia', ['photos'])
    const photos = await gate.signIn('pia', 'photos:read', `${gate.url}/photos`)
    const tag = async (path: string) => ({ 'if-match': (await admin(path)).headers.get('etag') ?? '' })
    const client = { type: 'web', name: 'W', redirect_uris: ['https://w.example.com/cb'] }
    const sessionOf = async () => ((await admin('/people/pia/sessions')).body.items as { id: string }[])[0]?.id
    const gidOf = async () => ((await admin('/authorizations?person=pia')).body.items as { gid: string }[])[0]?.gid
    const secretOf = async () => ((await admin('/clients/w')).body.secrets as { id: string }[])[0]?.id
    const link = async () => (await admin('/people/pia/links', 'POST', { kind: 'recover' })).body.id
    const writes: (readonly [event: string, call: () => ReturnType<typeof admin>])[] = [
      ['user.changed', async () => admin('/people/pia', 'PATCH', { name: 'Pia' }, await tag('/people/pia'))],
      ['link.made', () => admin('/people/pia/links', 'POST', { kind: 'recover' })],
      ['link.voided', async () => admin(`/people/pia/links/${await link()}`, 'DELETE')],
      ['session.ended', async () => admin(`/people/pia/sessions/${await sessionOf()}`, 'DELETE')],
      ['token.revoked', () => admin('/tokens/revoke', 'POST', { token: photos })],
      ['authorization.ended', async () => admin(`/authorizations/${await gidOf()}`, 'DELETE')],
      ['session.ended', () => admin('/people/pia/sign-out', 'POST')],
      ['user.disabled', () => admin('/people/pia/disable', 'POST')],
      ['user.enabled', () => admin('/people/pia/enable', 'POST')],
      ['client.added', () => admin('/clients/w', 'PUT', client, { 'if-none-match': '*' })],
      ['client.changed', async () => admin('/clients/w', 'PUT', { ...client, name: 'V' }, await tag('/clients/w'))],
      ['client.secret.added', () => admin('/clients/w/secrets', 'POST')],
      ['client.secret.removed', async () => admin(`/clients/w/secrets/${await secretOf()}`, 'DELETE')],
      ['client.ended', () => admin('/clients/w/end', 'POST')],
      ['client.revoked', () => admin('/clients/w/revoke', 'POST')],
      ['client.restored', () => admin('/clients/w/restore', 'POST')],
      ['keys.rotated', () => admin('/keys/rotate', 'POST')],
      ['token.explained', () => admin('/tokens/explain', 'POST', { token: 'x' })],
    ]
    for (const [event, write] of writes) {
      const answer = await write()
      assert.ok(answer.status < 300, `${event}: ${JSON.stringify(answer.body)}`)
      const lines = await linesOf(answer.headers.get('x-request-id'))
      assert.deepEqual(
        lines.map((line) => [line.event, line.detail.by, line.detail.address]),
        [[event, 'usr_alice', '127.0.0.1']],
      )
    }
    const failed = [
      await admin('/people', 'POST', { username: 'pia' }),
      await admin('/people/pia', 'PATCH', { name: 'x' }, { 'if-match': '"old"' }),
      await admin('/people/nobody/disable', 'POST'),
      await admin('/clients/w', 'PUT', client, { 'if-none-match': '*' }),
      await admin('/clients/w', 'DELETE', undefined, await tag('/clients/w')),
      await admin('/keys/rotate', 'POST'),
    ]
    assert.deepEqual(
      failed.map(({ reason }) => reason),
      ['exists', 'stale', 'not_found', 'exists', 'not_revoked', 'pending_key'],
    )
    for (const { headers } of failed) assert.deepEqual(await linesOf(headers.get('x-request-id')), [])
  })
  it('a sign-in of eleven minutes ago revokes a client, and makes no link: 401 with max_age=600', async () => {
    await under.gate.store.addClient(aClient({ id: 'other' }))
    const clock = shiftClock()
    try {
      const aged = await under.gate.signIn('alice')
      clock.forward(11 * MINUTE)
      // What it knows of revocations looks old then, until it has been read anew.
      await within(10_000, async () => {
        const { status, body } = await call(aged, '/clients/other/revoke', 'POST')
        return status === 200 ? undefined : JSON.stringify(body)
      })
      const refused = await call(aged, '/people/bob/links', 'POST', { kind: 'recover' })
      assert.deepEqual([refused.status, refused.reason], [401, 'insufficient_authentication'])
      assert.match(refused.headers.get('www-authenticate') ?? '', /^Bearer .*max_age=600$/)
    } finally {
      clock.restore()
    }
  })
})

interface Line {
  readonly event: string
  readonly detail: { readonly request_id?: string; readonly by?: string; readonly address?: string }
}
