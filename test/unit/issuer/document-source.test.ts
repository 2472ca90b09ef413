import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createDocumentSource } from '../../../src/issuer/clients/document-source.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import { aClient } from '../../contract/store-records.ts'

const URL_ID = 'https://app.example/client.json'

async function setUp(fetch: (url: string) => Promise<Response>) {
  const store = await openSqliteStore(':memory:')
  const clock = { now: 1_700_000_000_000 }
  const waited: number[] = []
  const wait = async (ms: number): Promise<void> => void waited.push(ms)
  return { store, clock, waited, source: createDocumentSource({ store, now: () => clock.now, fetch, wait }) }
}

describe('documents that strangers name', () => {
  it('are fetched eight at once, the rest in turn, and too many are refused', async () => {
    const open: (() => void)[] = []
    const { source, store } = await setUp(() => new Promise((resolve) => open.push(() => resolve(Response.json({})))))
    const all = Array.from({ length: 100 }, (_, n) =>
      source.fetch(`https://h${n}.example/c`).then(
        () => 'good',
        () => 'refused',
      ),
    )
    await new Promise((resolve) => setTimeout(resolve, 20))
    assert.equal(open.length, 8)
    for (let n = 0; n < 72; n++) {
      open[n]?.()
      await new Promise((resolve) => setImmediate(resolve))
    }
    assert.deepEqual((await Promise.all(all)).filter((each) => each === 'refused').length, 28)
    await store.close()
  })

  it('one host is asked once a second, and who would wait long is refused', async () => {
    const { source, store, waited } = await setUp(async () => Response.json({}))
    const asked = await Promise.all(
      Array.from({ length: 6 }, (_, n) =>
        source.fetch(`https://h.example/${n}`).then(
          () => 'good',
          () => 'refused',
        ),
      ),
    )
    assert.deepEqual(asked, ['good', 'good', 'good', 'good', 'refused', 'refused'])
    assert.deepEqual(waited, [1000, 2000, 3000])
    await store.close()
  })

  it('a failure is remembered for a minute', async () => {
    const state = { asked: 0 }
    const { source, store, clock } = await setUp(async () => {
      state.asked += 1
      throw new Error('refused')
    })
    for (let n = 0; n < 5; n++) await assert.rejects(source.fetch(URL_ID))
    assert.equal(state.asked, 1)
    clock.now += 60_000
    await assert.rejects(source.fetch(URL_ID))
    assert.equal(state.asked, 2)
    await store.close()
  })

  it('the last good one of a client that is in use serves while its host is down, over a restart; one that is gone does not', async () => {
    const host: { answer: () => Response } = { answer: () => Response.json({ client_id: URL_ID }) }
    const { source, store, clock } = await setUp(async () => host.answer())
    await source.fetch(URL_ID)
    await store.addClient(aClient({ id: URL_ID, origin: 'document' }))
    await source.keep(URL_ID)
    host.answer = () => new Response(null, { status: 503 })
    const anew = createDocumentSource({ store, now: () => clock.now, fetch: async () => host.answer() })
    assert.deepEqual(await (await anew.fetch(URL_ID)).json(), { client_id: URL_ID })
    clock.now += 61_000
    host.answer = () => new Response(null, { status: 404 })
    assert.equal((await anew.fetch(URL_ID)).status, 404)
    await store.close()
  })
})
