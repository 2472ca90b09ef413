import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { until } from '../../support/gateway-under-test.ts'
import { serve } from '../../support/serving.ts'
import { listenOnLoopback } from '../../support/upstreams.ts'

const FILE = `
public_url: http://127.0.0.1:1
listen: 127.0.0.1:0
management: 127.0.0.1:0
issuer: false
shutdown: { delay: 2s }
`

for (const workers of [1, 2])
  describe(`\`shutdown.delay\`, workers: ${workers}`, () => {
    it('SIGTERM: unready at once, requests are taken until the delay is over, an upload that takes longer finishes, then the process ends with 0', async () => {
      const upstream = createServer((incoming, response) => {
        let bytes = 0
        incoming.on('data', (chunk: Buffer) => {
          bytes += chunk.length
        })
        incoming.on('end', () => response.end(`${bytes} bytes`))
      })
      const to = `http://127.0.0.1:${await listenOnLoopback(upstream)}`
      const serving = await serve(
        `${FILE}workers: ${workers}\nroutes: [{ id: open, path: /open, upstream: "${to}", public: true }]\n`,
      )
      const upload = request(`${serving.url}/open/upload`, { method: 'PUT' })
      const answered = once(upload, 'response')
      upload.write('first')
      const readiness = async (): Promise<number> => (await fetch(`${serving.managementUrl}/readyz`)).status
      assert.equal(await readiness(), 200)
      serving.signal('SIGTERM')
      await until(async () => (await readiness()) === 503, 'unready', 1_500)
      // Workers are told by the process that was signalled.
      await until(
        async () => {
          const answer = await fetch(`${serving.url}/nowhere`)
          assert.equal(answer.status, 404)
          return answer.headers.get('connection') === 'close'
        },
        'connections are given up',
        1_000,
      )
      const state = { ended: false }
      const ended = serving.ended().finally(() => {
        state.ended = true
      })
      // No new connection is taken once the delay is over.
      await until(
        async () => (await fetch(serving.url).catch(() => undefined)) === undefined,
        'closed to others',
        15_000,
      )
      await delay(500)
      assert.equal(state.ended, false)
      upload.end('last')
      const [whole] = await answered
      assert.deepEqual([whole.statusCode, await text(whole)], [200, '9 bytes'])
      assert.equal((await ended).code, 0)
      upstream.close()
      await serving.remove()
    })
  })
