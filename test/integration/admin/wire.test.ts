import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { aClient } from '../../contract/store-records.ts'
import { type AdminGateway, startAdminGateway } from '../../support/admin-gateway.ts'
import { type Called, callUrl, within } from '../../support/issuer/served-issuer.ts'

const NATIVE = { type: 'native', name: 'N', redirect_uris: ['http://127.0.0.1/cb'] }
const JSON_TYPE = { 'content-type': 'application/json' }

describe('the operator’s API on the wire', () => {
  let gate: AdminGateway
  let alice = ''
  const admin = (path: string, method = 'GET', body?: object, headers: Readonly<Record<string, string | null>> = {}) =>
    gate.call(alice, path, method, body, headers)
  /** Sends these very bytes. */
  const sent = (path: string, method: string, headers: Record<string, string>, body?: string | Buffer<ArrayBuffer>) =>
    callUrl(`${gate.url}/admin/api/v1${path}`, { authorization: `Bearer ${alice}`, ...headers }, method, body)
  const isProblem = ({ status, reason, headers, body }: Called, wanted: readonly [number, string]) => {
    assert.deepEqual([status, reason], wanted, JSON.stringify(body))
    assert.equal(headers.get('content-type'), 'application/problem+json')
    assert.equal(headers.get('x-request-id'), body.request_id)
  }
  before(async () => {
    gate = await startAdminGateway()
    alice = await gate.signIn('alice')
  })
  after(() => gate.close())

  it('a client is put by If-None-Match: * or If-Match alone: 428 with neither, 400 with both', async () => {
    for (const headers of [{}, { 'if-none-match': '"x"' }])
      isProblem(await admin('/clients/put', 'PUT', NATIVE, headers), [428, 'precondition_required'])
    isProblem(await admin('/clients/put', 'PUT', NATIVE, { 'if-match': '*', 'if-none-match': '*' }), [
      400,
      'invalid_request',
    ])
    isProblem(await admin('/clients/put', 'PUT', NATIVE, { 'if-match': '*' }), [404, 'not_found'])
    const made = await admin('/clients/put', 'PUT', NATIVE, { 'if-none-match': '*' })
    assert.equal(made.status, 201)
    const tag = made.headers.get('etag') ?? ''
    assert.equal((await admin('/clients/put')).headers.get('etag'), tag, 'the answer to the PUT says it already')
    isProblem(await admin('/clients/put', 'PUT', NATIVE), [428, 'precondition_required'])
  })
  it('If-Match is compared strongly: a weak or a bare tag is stale, one of a list or * is not', async () => {
    const { headers } = await admin('/people', 'POST', { username: 'tagged' })
    const tag = headers.get('etag') ?? ''
    assert.match(tag, /^"[\w-]+"$/)
    for (const [match, status] of [
      [`W/${tag}`, 412],
      [tag.slice(1, -1), 412],
      ['"a", "b"', 412],
      ['', 412],
      [`"a" , ${tag}`, 200],
      ['*', 200],
    ] as const) {
      const answer = await admin('/people/tagged', 'PATCH', {}, { 'if-match': match })
      assert.equal(answer.status, status, match)
      if (status === 412) assert.equal((answer.body.present as { username: string }).username, 'tagged')
    }
    const enabled = await admin('/people/tagged/enable', 'POST')
    assert.equal(enabled.headers.get('etag'), (await admin('/people/tagged')).headers.get('etag'))
  })
  it('a body is JSON in UTF-8, read one way only; what needs none may have an empty one', async () => {
    for (const headers of [
      { 'content-type': 'application/json; charset=iso-8859-1' },
      { 'content-type': 'text/plain' },
      { 'content-type': 'application/merge-patch+json' },
      { ...JSON_TYPE, 'content-encoding': 'gzip' },
    ])
      isProblem(await sent('/people', 'POST', headers, '{"username":"never"}'), [415, 'unsupported_media_type'])
    for (const body of [
      Buffer.from('{"username":"never","name":"\xff"}', 'latin1'),
      '{"username":"never","username":"never2"}',
      '{"username":"never","\\u0075sername":"never2"}',
      '{"username":"never","__proto__":{}}',
      '{"username":"never"',
      '["never"]',
      'null',
      '',
    ])
      isProblem(await sent('/people', 'POST', JSON_TYPE, body), [400, 'invalid_request'])
    assert.equal((await admin('/people/never')).status, 404)
    const text = '{"username":"once","name":"{\\"name\\":1,\\"name\\":2}"}'
    const type = { 'content-type': 'Application/JSON; Charset="UTF-8"' }
    assert.equal((await sent('/people', 'POST', type, text)).status, 201, 'a text may look like an object')
    for (const body of ['', '{}', undefined])
      assert.equal((await sent('/people/once/sign-out', 'POST', JSON_TYPE, body)).status, 200, String(body))
  })
  it('fields that are not known are refused in every query and body, and named', async () => {
    for (const [method, path] of [
      ['GET', '/people/bob'],
      ['GET', '/routes/photos'],
      ['GET', '/system'],
      ['GET', '/openapi.json'],
      ['POST', '/people/bob/sign-out'],
      ['DELETE', '/authorizations/g'],
    ] as const)
      isProblem(await admin(`${path}?colour=red`, method), [400, 'invalid_request'])
    for (const [method, path] of [
      ['POST', '/people/bob/sign-out'],
      ['POST', '/people'],
      ['POST', '/keys/rotate'],
      ['DELETE', '/authorizations/g'],
    ] as const) {
      const answer = await admin(path, method, { colour: 'red' })
      isProblem(answer, [400, 'invalid_request'])
      assert.ok((answer.body.errors as { path: string }[]).some((each) => each.path === 'colour'))
    }
  })
  it('a body above 64 KiB, a question above 16 KiB and a text above 256 KiB are 413; at the bound they are read', async () => {
    const name = (size: number) => ({ username: 'big', name: 'x'.repeat(size) })
    isProblem(await admin('/people', 'POST', name(65_536)), [413, 'body_too_large'])
    isProblem(await admin('/people', 'POST', name(65_000)), [400, 'invalid_request'])
    isProblem(await admin('/tokens/explain', 'POST', { token: 'x'.repeat(16_384) }), [413, 'body_too_large'])
    assert.equal((await admin('/tokens/explain', 'POST', { token: 'x'.repeat(16_300) })).status, 200)
    const lines = '\n'.repeat(256 * 1024)
    assert.equal((await admin('/config/check', 'POST', { text: lines })).status, 200)
    isProblem(await admin('/config/check', 'POST', { text: `${lines}\n` }), [413, 'body_too_large'])
  })
  it('an unknown path, another case, a method that is none and a path that can’t be read are problems like all', async () => {
    for (const path of ['', '/', '/PEOPLE', '/people/bob/', '/nothing'])
      isProblem(await admin(path), [404, 'not_found'])
    for (const method of ['OPTIONS', 'PUT', 'PROPFIND']) isProblem(await admin('/people', method), [404, 'not_found'])
    isProblem(await admin('/people/%ff'), [400, 'invalid_request'])
    const head = await admin('/people', 'HEAD')
    assert.deepEqual([head.status, head.body], [200, { text: '' }])
    assert.equal((await gate.call(undefined, '/people', 'HEAD')).status, 401)
  })
  it('a limit is a number of digits from 1; above 200 is 200; and every list takes one', async () => {
    for (const limit of ['0', '-1', 'abc', '1e2', '0x10', '1.5', '', '%205', '5&limit=6', '1'.repeat(20)])
      isProblem(await admin(`/people?limit=${limit}`), [400, 'invalid_request'])
    assert.equal((await admin('/people?limit=201')).status, 200)
    const lists = ['/decisions', '/routes', '/resources', '/access', '/people', '/people/alice/factors', '/groups']
    const more = ['/people/alice/sessions', '/clients', '/authorizations', '/revocations', '/keys', '/audit']
    for (const list of [...lists, ...more]) {
      // What was decided is handed over in batches: the list may grow while it is walked.
      await within(5_000, async () => {
        const whole = (await items(`${list}?limit=200`)).map(untouched)
        const [first, some] = [await items(`${list}?limit=1`), (await walked(list)).map(untouched)]
        const isOne = first.length === Math.min(1, whole.length)
        return isOne && isDeepStrictEqual(some, whole.slice(0, 5)) ? undefined : `${list}: ${JSON.stringify(some)}`
      })
    }
  })
  it('a cursor leads on in its list, with its filter, alone', async () => {
    const { next } = (await admin('/people?limit=1')).body
    assert.equal(typeof next, 'string')
    assert.equal((await admin(`/people?limit=3&cursor=${next}`)).status, 200)
    for (const path of ['/clients?', '/people?q=b&', '/people?state=active&', '/decisions?', '/people/bob/sessions?'])
      isProblem(await admin(`${path}cursor=${next}`), [400, 'invalid_request'])
    for (const forged of ['x', '', String(next).slice(0, -1), `${next}x`, `x${next}`])
      isProblem(await admin(`/people?cursor=${forged}`), [400, 'invalid_request'])
    const filtered = (await admin('/people?state=active&q=b&limit=1')).body.next
    if (filtered !== undefined)
      assert.equal((await admin(`/people?limit=1&q=b&cursor=${filtered}&state=active`)).status, 200)
  })
  it('a list goes on behind an id that is a long URL', async () => {
    const ids = ['a', 'b', 'c'].map((end) => `https://app.example.com/${'x'.repeat(2_000)}/${end}`)
    for (const id of ids) await gate.store.addClient(aClient({ id, origin: 'document' }))
    const shown = (await walked('/clients')).map((client) => Reflect.get(Object(client), 'id'))
    assert.deepEqual(
      shown.filter((id) => ids.includes(id)),
      ids,
    )
  })
  it('a try is of a person or of claims, and claims have the form of claims', async () => {
    const resource = `${gate.url}/photos`
    for (const body of [
      { person: 'bob', claims: { groups: ['photos'] }, resource },
      { claims: { groups: 'photos' }, resource },
      { resource },
    ])
      isProblem(await admin('/access/try', 'POST', body), [400, 'invalid_request'])
    const answer = await admin('/access/try', 'POST', { claims: { groups: ['photos'] }, resource })
    assert.deepEqual((answer.body.issue as { given: string[] }).given, ['photos:read'])
  })
  it('times come in any zone; a time that ends before it begins finds nothing', async () => {
    for (const list of ['/decisions', '/audit']) {
      const until = '1970-01-01T00:00:00Z'
      const zoned = encodeURIComponent('2026-01-01T02:00:00+02:00')
      assert.deepEqual(await items(`${list}?since=${zoned}&until=${until}`), [])
      for (const time of ['yesterday', '2026-02-30T00:00:00Z', '2026-01-01', '2026-01-01T00:00:00', '1'])
        isProblem(await admin(`${list}?since=${time}`), [400, 'invalid_request'])
    }
    const at = Math.floor(Date.now() / 1000) + 86_400
    await gate.store.audit('zone.test', {}, at)
    const text = new Date((at + 7_200) * 1000).toISOString().replace('.000Z', '+02:00')
    assert.equal((await items(`/audit?event=zone.test&since=${encodeURIComponent(text)}`)).length, 1)
  })
  it('the trail comes in the form that is liked best of what there is', async () => {
    for (const [accept, type] of [
      ['text/csv', 'text/csv'],
      ['application/json;q=0.5, application/x-ndjson', 'application/x-ndjson'],
      ['application/json, text/csv;q=0.1', 'application/json'],
      ['text/csv;q=0', 'application/json'],
      ['image/png', 'application/json'],
      ['*/*', 'application/json'],
    ] as const) {
      const { headers } = await fetch(`${gate.url}/admin/api/v1/audit?limit=1`, {
        headers: { authorization: `Bearer ${alice}`, accept },
      })
      assert.equal(headers.get('content-type')?.split(';')[0], type, accept)
    }
  })

  async function items(path: string): Promise<unknown[]> {
    const { status, body } = await admin(path)
    assert.equal(status, 200, `${path}: ${JSON.stringify(body)}`)
    return body.items as unknown[]
  }

  /** The first five of a list, one by one. */
  async function walked(list: string): Promise<unknown[]> {
    const found: unknown[] = []
    for (let path = `${list}?limit=1`; path !== '' && found.length < 5; ) {
      const { items: some, next } = (await admin(path)).body as { items: unknown[]; next?: string }
      found.push(...some)
      path = next === undefined ? '' : `${list}?limit=1&cursor=${next}`
    }
    return found
  }
})

/** Without what its uses change while a list is walked. */
function untouched(item: unknown): unknown {
  const { last_used_at: _, ...lasting } = Object(item)
  return lasting
}
