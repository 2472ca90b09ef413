import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { it } from 'node:test'

const WRITER = join(import.meta.dirname, '../../support/programs/log-writer.ts')
const LINES = 3_000

it('lines of several processes on one pipe stay whole, also when its reader is slow', async () => {
  const writers = ['a', 'b', 'c'].map((name) => `"${process.execPath}" "${WRITER}" ${name} ${LINES} &`)
  // A pipe of the kernel's, run full before anybody reads it.
  const line = `{ ${writers.join(' ')} wait; } | { sleep 0.5; dd bs=1000 status=none; }`
  const shell = spawn('sh', ['-c', line], { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  shell.stdout.on('data', (chunk: Buffer) => {
    text += chunk
  })
  await once(shell, 'close')
  const counts: Record<string, number> = {}
  for (const line of text.trimEnd().split('\n')) {
    const { event } = JSON.parse(line)
    counts[event] = (counts[event] ?? 0) + 1
  }
  assert.deepEqual(counts, { a: LINES, b: LINES, c: LINES })
})
