import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { until } from '../support/gateway-under-test.ts'
import { serve } from '../support/serving.ts'

const FILE = `
public_url: http://127.0.0.1:1
listen: 127.0.0.1:0
management: 127.0.0.1:0
issuer: false
shutdown: { delay: 2s }
`

describe('`shutdown.delay`', () => {
  it('SIGTERM: unready at once, requests are taken until the delay is over, then the process ends with 0', async () => {
    const serving = await serve(FILE)
    const readiness = async (): Promise<number> => (await fetch(`${serving.managementUrl}/readyz`)).status
    assert.equal(await readiness(), 200)
    serving.signal('SIGTERM')
    await until(async () => (await readiness()) === 503, 'unready', 1_500)
    const answer = await fetch(`${serving.url}/nowhere`)
    assert.deepEqual([answer.status, answer.headers.get('connection')], [404, 'close'])
    assert.equal((await serving.ended()).code, 0)
    await serving.remove()
  })
})
