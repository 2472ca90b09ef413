import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { decodeConfig } from '../../../src/config/load.ts'
import { createTunnels } from '../../../src/gateway/tunnels.ts'
import { createClosing } from '../../../src/server/closing.ts'
import { createWorkerIssuerLink } from '../../../src/workers/worker-issuer-link.ts'

describe('what a worker knows of revocations', () => {
  it('counts no longer than its primary said, and again when that speaks; what the primary lacks it lacks, too', async () => {
    const read = decodeConfig('public_url: http://localhost:8080\nissuer: false\nroutes: []', 'routes.yaml', {})
    assert.ok(read.ok)
    const briefing = {
      config: read.config,
      tls: undefined,
      revocations: [],
      unavailable: undefined,
      goodForMs: 60_000,
      publicKeys: [],
      innerPath: '',
      watched: false,
      draining: false,
    }
    const link = { send: () => undefined, onMessage: () => undefined }
    const worker = createWorkerIssuerLink(briefing, link, () => undefined)
    const closing = createClosing()
    const tunnels = createTunnels(() => [])
    const known = await worker.open(read.config, { tunnels } as Parameters<typeof worker.open>[1], closing)
    const told = (unavailable: string | undefined, goodForMs: number | undefined) => {
      worker.receive({ kind: 'state', unavailable, goodForMs })
      return known.unavailable()
    }
    assert.equal(known.unavailable(), undefined)
    assert.equal(told(undefined, -1), 'the primary process is silent')
    assert.equal(told(undefined, 60_000), undefined)
    assert.equal(told('the database is away', 60_000), 'the database is away')
    assert.equal(told(undefined, undefined), undefined, 'on_stale_revocations: allow')
    for (const failure of await closing.run()) throw failure
  })
})
