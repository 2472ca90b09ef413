import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createHeaderPolicy } from '../../../src/core/headers/header-policy.ts'
import { readPlainHead } from '../../../src/gateway/fast-path/head.ts'
import { rememberHeaders } from '../../../src/gateway/remembered.ts'

setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')

/** Bytes of the heap that what `make` answers keeps alive. */
function keptBy(make: () => unknown): number {
  collect()
  const before = process.memoryUsage().heapUsed
  const kept = make()
  collect()
  const bytes = process.memoryUsage().heapUsed - before
  assert.ok(kept !== undefined)
  return bytes
}

/** As bytes from a socket become text; the target is 14 KB long. */
function headOf(fields: string): string {
  return Buffer.from(`GET /a?${'q'.repeat(14_000)} HTTP/1.1\r\nHost: gate.example.com\r\n${fields}\r\n`).toString(
    'latin1',
  )
}

describe('what is kept of a request', () => {
  it('is its field lines alone, however long the rest of its head was', () => {
    const bytes = keptBy(() =>
      Array.from(
        { length: 1_000 },
        (_, i) => readPlainHead(headOf(`User-Agent: a-long-name-of-a-program/${i}\r\n`), undefined)?.fields,
      ),
    )
    assert.ok(bytes < 3_000_000, `${bytes} bytes for 1,000 connections; their heads are 14 MB`)
  })

  it('is a name alone, where names are remembered', () => {
    const policy = rememberHeaders(createHeaderPolicy([]))
    const bytes = keptBy(() => {
      for (let i = 0; i < 500; i++)
        policy.dispositionOf(
          readPlainHead(headOf(`X-A-Long-Name-${i}: 1\r\nX-B: ${'b'.repeat(1_900)}\r\n`), undefined)?.fields
            .rawHeaders[2] ?? '',
        )
      return policy
    })
    assert.ok(bytes < 1_000_000, `${bytes} bytes for 500 names; their heads are 8 MB`)
  })
})
