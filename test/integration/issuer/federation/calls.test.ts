import assert from 'node:assert/strict'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, beforeEach, describe, it } from 'node:test'
import { createProviderCalls, type ProviderCalls } from '../../../../src/issuer/federation/provider/provider-calls.ts'
import { orFault } from '../../../../src/issuer/federation/provider/provider-fault.ts'
import { createMetadata } from '../../../../src/issuer/federation/provider/provider-metadata.ts'
import { providerEntry } from '../../../support/issuer/federated-issuer.ts'

const HOUR = 3_600_000

/** Requests that wait for their answer, and the most that ever did. */
const there = { waiting: [] as ServerResponse[], most: 0, asked: 0, hangs: true, status: 200 }
let url = ''
const server = createServer((_request, response) => {
  there.asked += 1
  if (!there.hangs) return response.writeHead(there.status).end(metadata())
  there.waiting.push(response)
  there.most = Math.max(there.most, there.waiting.length)
  return undefined
})
let calls: ProviderCalls

const entry = () => providerEntry({ issuer: url, clientId: 'gate', clientSecret: 'x' })
const metadata = (): string =>
  JSON.stringify({ issuer: url, authorization_endpoint: `${url}/a`, token_endpoint: `${url}/t`, jwks_uri: `${url}/k` })

before(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
after(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})
beforeEach(() => {
  Object.assign(there, { waiting: [], most: 0, asked: 0, hangs: true, status: 200 })
  calls = createProviderCalls(entry(), () => undefined)
})

/** Answers whoever waits, until `done`. */
async function answerUntil(done: Promise<unknown>): Promise<void> {
  const state = { over: false }
  void done.finally(() => {
    state.over = true
  })
  while (!state.over) {
    for (const response of there.waiting.splice(0)) response.end('{}')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

describe('calls at a provider', () => {
  it('are eight at once at most, and all get their turn', async () => {
    const all = Promise.all(Array.from({ length: 30 }, (_, n) => calls.call('userinfo', `${url}/${n}`)))
    while (there.most < 8) await new Promise((resolve) => setTimeout(resolve, 5))
    await answerUntil(all)
    assert.equal((await all).length, 30)
    assert.deepEqual([there.most, there.asked], [8, 30])
  })

  it('that stand behind others at a provider that hangs are silence after 5 s, too', async () => {
    const begunMs = performance.now()
    const ask = (n: number) => orFault(() => calls.call('userinfo', `${url}/${n}`))
    const heard = await Promise.all(Array.from({ length: 30 }, (_, n) => ask(n)))
    assert.ok(heard.every((each) => 'kind' in each && each.kind === 'silent'))
    assert.ok(performance.now() - begunMs < 9_000, `${performance.now() - begunMs} ms`)
    there.hangs = false
    assert.equal('status' in (await ask(30)), true)
  })
})

describe('metadata', () => {
  it('are read once an hour; while the provider is silent the old ones serve for 24 h, asked for every 30 s', async () => {
    there.hangs = false
    const clock = { ms: 1_000_000_000 }
    const read = createMetadata(entry(), calls, () => clock.ms)
    const at = async (ms: number): Promise<string> => {
      clock.ms = 1_000_000_000 + ms
      const heard = await orFault(async () => ({ server: (await read()).server }))
      return 'server' in heard ? 'good' : heard.kind
    }
    for (const ms of [0, 1, HOUR - 1]) assert.equal(await at(ms), 'good')
    assert.equal(there.asked, 1)
    there.status = 503
    for (let second = 0; second < 90; second += 1) assert.equal(await at(HOUR + second * 1_000), 'good')
    assert.equal(there.asked, 4)
    assert.equal(await at(24 * HOUR - 1), 'good')
    assert.equal(await at(24 * HOUR), 'silent')
    assert.equal(await at(24 * HOUR + 1), 'silent')
    there.status = 200
    assert.equal(await at(24 * HOUR + 2), 'good')
  })
})
