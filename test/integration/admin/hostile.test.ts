import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { type ClientRequest, get, type IncomingMessage, type ServerResponse } from 'node:http'
import { after, before, describe, it } from 'node:test'
import { askedOf, boundCursor } from '../../../src/admin/api/page.ts'
import { type AdminGateway, startAdminGateway } from '../../support/admin-gateway.ts'

describe('the operator’s API, called by somebody with other intentions', () => {
  let gate: AdminGateway
  let alice = ''
  const admin = (path: string, method = 'GET', body?: object, headers: Readonly<Record<string, string | null>> = {}) =>
    gate.call(alice, path, method, body, headers)
  before(async () => {
    gate = await startAdminGateway()
    alice = await gate.signIn('alice')
  })
  after(() => gate.close())

  it('a change or a new secret that is under way brings no client back that is revoked meanwhile', async () => {
    const body = { type: 'web', name: 'W', redirect_uris: ['https://w.example.com/cb'] }
    for (let i = 0; i < 6; i += 1) {
      const path = `/clients/web-${i}`
      const { status } = await admin(path, 'PUT', body, { 'if-none-match': '*' })
      assert.equal(status, 201)
      const { headers } = await admin(path)
      const write = () =>
        i % 2 === 0
          ? admin(path, 'PUT', { ...body, name: 'V' }, { 'if-match': headers.get('etag') })
          : admin(`${path}/secrets`, 'POST')
      const [written, revoked] = await Promise.all([write(), admin(`${path}/revoke`, 'POST')])
      assert.equal(revoked.status, 200)
      assert.ok([200, 201, 412].includes(written.status), String(written.status))
      assert.equal((await admin(path)).body.state, 'revoked')
    }
  })

  it('U+0000 in what is looked for or ended is 400 invalid_request, and reaches no store', async () => {
    const answers = await Promise.all([
      ...['/people?q=%00', '/audit?person=a%00b', '/access?client=%00', '/authorizations?person=%00'].map((path) =>
        admin(path),
      ),
      admin('/tokens/revoke', 'POST', { jti: 'a\0b' }),
      admin('/access/try', 'POST', { person: 'a\0b', resource: gate.resource }),
      admin('/access/try', 'POST', { person: 'alice', client: '\0', resource: gate.resource }),
    ])
    for (const { status, reason, body } of answers)
      assert.deepEqual([status, reason], [400, 'invalid_request'], JSON.stringify(body))
  })

  it('a cursor that was made up is 400, in a list of decisions too', async () => {
    const bound = (place: string) => boundCursor(cursor(place), askedOf('/admin/api/v1/decisions', {}))
    for (const place of ['s:x', 'm:1e9', 'm:-1', 'z:1', 's:', ':', 's:1:2', 's:9999999999999999'])
      assert.equal((await admin(`/decisions?cursor=${bound(place)}`)).reason, 'invalid_request', place)
    assert.equal((await admin(`/decisions?cursor=${bound('m:7')}`)).status, 200)
    assert.equal((await admin(`/decisions?cursor=${cursor('m:7')}`)).status, 400, 'it is bound to nothing')
  })

  it('a token is not said to have ended by an expiry that is over', async () => {
    const over = { jti: 'j', expires_at: new Date(Date.now() - 3_600_000).toISOString() }
    const { status, reason, body } = await admin('/tokens/revoke', 'POST', over)
    assert.deepEqual([status, reason], [400, 'invalid_request'])
    assert.match(String(body.detail), /leave it out/)
    assert.deepEqual((await admin('/audit?event=token.revoked')).body.items, [])
  })

  it('of many files at once a few are checked, the others are told to come later', async () => {
    const text = `x: ${'y'.repeat(1_000)}`
    const answers = await Promise.all(Array.from({ length: 12 }, () => admin('/config/check', 'POST', { text })))
    const statuses = answers.map(({ status }) => status)
    assert.ok(statuses.includes(200))
    const refused = answers.filter(({ status }) => status === 429)
    assert.ok(refused.length > 0)
    for (const { reason, headers } of refused) assert.deepEqual([reason, headers.get('retry-after')], ['too_many', '5'])
    assert.equal((await admin('/config/check', 'POST', { text })).status, 200)
  })

  it('a caller has 600 reads and 60 writes a minute, what only asks is a read, and nobody else is kept waiting', async () => {
    await gate.addPerson('max', ['admins'])
    const token = await gate.signIn('max')
    const asked = (path: string, method?: string, body?: object) => gate.call(token, path, method, body)
    for (const [most, method, path] of [
      [60, 'POST', '/people/nobody/sign-out'],
      [600, 'POST', '/access/try'],
    ] as const) {
      for (let sent = 0; sent < most; sent += 20) {
        const answers = await Promise.all(Array.from({ length: 20 }, () => asked(path, method, {})))
        for (const { status } of answers) assert.ok(status === 404 || status === 400, String(status))
      }
      const { status, reason, headers } = await asked(path, method, {})
      assert.deepEqual([status, reason], [429, 'too_many'], path)
      const wait = Number(headers.get('retry-after'))
      assert.ok(wait >= 1 && wait <= 60, String(wait))
    }
    for (const path of ['/people', '/nothing']) assert.equal((await asked(path)).status, 429, 'reads are used up')
    assert.equal((await admin('/people')).status, 200)
  })

  it('a listener that has gone before its stream began takes nobody’s place', async () => {
    const { userBySub } = gate.store
    const gone = Promise.withResolvers<undefined>()
    const begun = Promise.withResolvers<void>()
    const onStart = (message: unknown) => {
      const { request, response } = message as { request: IncomingMessage; response: ServerResponse }
      if (request.url?.includes('stream')) response.once('close', () => gone.resolve(undefined))
    }
    subscribe('http.server.request.start', onStart)
    Object.assign(gate.store, {
      userBySub: (sub: string) => {
        if (sub !== 'slow') return userBySub(sub)
        begun.resolve()
        return gone.promise
      },
    })
    const left = streamOf('?person=slow')
    await begun.promise
    left.destroy()
    await gone.promise
    Object.assign(gate.store, { userBySub })
    unsubscribe('http.server.request.start', onStart)
    const statuses = await Promise.all([streamOf(''), streamOf('')].map(statusOf))
    assert.deepEqual(statuses, [200, 200])
  })

  const streamOf = (query: string): ClientRequest => {
    const headers = { authorization: `Bearer ${alice}` }
    const sent = get(`${gate.url}/admin/api/v1/decisions/stream${query}`, { headers, agent: false })
    return sent.on('error', () => undefined)
  }

  it('a cell that begins with = + - @ is text to a spreadsheet', async () => {
    const at = 1_000
    for (const sign of ['=', '+', '-', '@', '\t=', '\r=']) await gate.store.audit(`${sign}cmd|' /C calc'!A0`, {}, at)
    const answer = await fetch(`${gate.url}/admin/api/v1/audit?until=1970-01-01T01:00:00Z`, {
      headers: { authorization: `Bearer ${alice}`, accept: 'text/csv' },
    })
    const text = await answer.text()
    const cells = [...text.matchAll(/,"([^"]*cmd[^"]*)",/g)].map(([, cell]) => cell)
    assert.equal(cells.length, 6)
    for (const cell of cells) assert.match(cell ?? '', /^'[=+\-@\t\r]/)
  })
})

function cursor(key: string): string {
  return Buffer.from(JSON.stringify([key])).toString('base64url')
}

/** Of the answer, which is left alone then. */
async function statusOf(sent: ClientRequest): Promise<number | undefined> {
  const [response]: IncomingMessage[] = await once(sent, 'response')
  sent.destroy()
  return response?.statusCode
}
