import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { describe, it } from 'node:test'

const MODULE = new URL('../../../src/server/quiet-memory.ts', import.meta.url).href

/** Holds some 150 MiB of heads for a moment, and tells its resident memory until it is ended, in MiB. */
const PROGRAM = `
  import { saveMemoryWhenQuiet } from ${JSON.stringify(MODULE)}
  saveMemoryWhenQuiet()
  const heads = new Map()
  for (let i = 0; i < 40_000; i++) heads.set(i % 10_000, Buffer.alloc(14_000, i).toString('latin1'))
  heads.clear()
  setInterval(() => console.log(Math.round(process.memoryUsage.rss() / 2 ** 20)), 100)
`

/** The first word on its memory, and the first that is less than \`share\` of it; undefined when none came in 30 s. */
async function memoryOf(
  flags: readonly string[],
  share: number,
): Promise<{ first: number; fallen: number | undefined }> {
  // V8 looks 8 s after it has collected; here sooner.
  const options = [...flags, '--max-semi-space-size=8', '--gc-memory-reducer-start-delay-ms=200']
  const child = spawn(process.execPath, [...options, '--input-type=module', '-e', PROGRAM])
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const deadline = Date.now() + 30_000
  let first: number | undefined
  let fallen: number | undefined
  for await (const text of child.stdout.setEncoding('utf8')) {
    const told: number[] = String(text).trim().split('\n').map(Number)
    first ??= told[0]
    fallen = told.find((each) => first !== undefined && each < share * first)
    if (fallen !== undefined || Date.now() > deadline) break
  }
  child.kill('SIGKILL')
  await ended
  return { first: first ?? 0, fallen }
}

describe('memory that a busy time has taken', () => {
  it('is given back to the system when the process has next to nothing to do', async () => {
    const { first, fallen } = await memoryOf(['--no-memory-saver-mode'], 0.6)
    assert.ok(first > 150, `${first} MiB`)
    assert.ok(fallen !== undefined, `it kept ${first} MiB`)
  })
})
