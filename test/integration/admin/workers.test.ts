import assert from 'node:assert/strict'
import { request } from 'node:http'
import { after, before, describe, it } from 'node:test'
import { type BlackBox, callUrl, claimsOf, startBlackBox, within } from '../../support/issuer/served-issuer.ts'

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
  it('streams what all of them decide, passes too while somebody watches, and ends within a second of its token', async () => {
    const { box } = under
    const watching = await signIn()
    const response = await fetch(`${box.url}/admin/api/v1/decisions/stream`, {
      headers: { authorization: `Bearer ${watching}` },
    })
    assert.equal(response.headers.get('content-type'), 'text/event-stream')
    const seen: string[] = []
    const state = { endedAt: 0 }
    const reading = (async () => {
      const decoder = new TextDecoder()
      for await (const chunk of response.body ?? []) seen.push(decoder.decode(chunk, { stream: true }))
      state.endedAt = performance.now()
    })()
    const { access } = await box.signIn('alice')
    const refused: string[] = []
    await within(10_000, async () => {
      for (let i = 0; i < 4; i += 1) refused.push(await alone(`${box.url}/files/a`, access))
      await alone(`${box.url}/photos/a`, access)
      const told = seen.join('')
      const processes = new Set(refused.filter((id) => told.includes(id)).map((id) => id.split('-')[0]))
      const passed = told.includes('"outcome":"ok"')
      return passed && processes.size > 1 ? undefined : JSON.stringify([passed, [...processes]])
    })
    const revokedAt = performance.now()
    await box.done('revoke', '--jti', String(claimsOf(watching).jti))
    await reading
    assert.match(seen.join(''), /event: end\ndata: \{"why":"revoked"\}/)
    assert.ok(state.endedAt - revokedAt < 10_000, 'the command, and a second')
  })
  it('streams passes of one that came in the place of another while somebody watched', async () => {
    const { box } = under
    const watching = await signIn()
    const { access } = await box.signIn('alice')
    const pids = () => box.log().flatMap(({ event, pid }) => (event === 'worker.listening' ? [Number(pid)] : []))
    // The one that carries the stream may be the one that is killed: then it is opened anew.
    for (let tries = 0; tries < 8; tries += 1) {
      const stop = new AbortController()
      const response = await fetch(`${box.url}/admin/api/v1/decisions/stream`, {
        headers: { authorization: `Bearer ${watching}` },
        signal: stop.signal,
      })
      const seen: string[] = []
      const state = { over: false }
      const reading = (async () => {
        const decoder = new TextDecoder()
        for await (const chunk of response.body ?? []) seen.push(decoder.decode(chunk, { stream: true }))
      })()
        .catch(() => undefined)
        .finally(() => {
          state.over = true
        })
      const known = new Set<string>()
      for (let n = 0; n < 8; n += 1) known.add(processOf(await alone(`${box.url}/files/a`, access)))
      const before = pids().length
      process.kill(pids().at(-1) ?? 0, 'SIGKILL')
      await within(30_000, async () => (pids().length > before ? undefined : 'no other in its place'))
      if (state.over) continue
      await within(10_000, async () => {
        await alone(`${box.url}/photos/a`, access)
        const passes = seen
          .join('')
          .split('\n')
          .filter((line) => line.includes('"outcome":"ok"'))
        const by = passes.map((line) => processOf(/"request_id":"([^"]+)/.exec(line)?.[1] ?? ''))
        return by.some((each) => !known.has(each))
          ? undefined
          : `none of another than ${[...known]}: ${[...new Set(by)]}`
      })
      stop.abort()
      await reading
      return
    }
    assert.fail('the stream was cut each time')
  })
  it('sums up what all of them carried', async () => {
    await under.box.call(undefined)
    const { body } = await ask('/overview')
    assert.ok((body.totals as { refused: number }).refused > 0)
    assert.equal((await ask('/system')).body.workers, 2)
  })
})

/** Request ids begin with a text of the process. */
function processOf(id: string): string {
  return id.split('-')[0] ?? ''
}

/** One request on a connection of its own, which any worker may get; its id. */
function alone(url: string, token: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}` }
    const asked = request(url, { agent: false, headers }, (response) => {
      response.resume().on('end', () => resolve(String(response.headers['x-request-id'])))
    })
    asked.on('error', reject).end()
  })
}
