import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import type { Store } from '../../../src/store/store.ts'
import { aClient } from '../../contract/store-records.ts'
import { type CommandLine, commandLine } from '../../support/programs/command-line.ts'
import { photosFile } from '../../support/split-audgate.ts'

const STALE_MS = 2_000
/** What a process takes to start and end on a busy machine. */
const SLACK_MS = 5_000

describe('`revoke --everywhere`', () => {
  let shell: CommandLine
  let store: Store
  let beat: NodeJS.Timeout
  const begin = async (settings: string): Promise<void> => {
    shell = commandLine(photosFile('http://localhost:8080', 'http://127.0.0.1:9', settings))
    mkdirSync(join(shell.folder, 'data'), { mode: 0o700 })
    store = await openSqliteStore(join(shell.folder, 'data/audgate.db'))
    await store.addClient(aClient({ id: 'app' }))
  }
  /** An instance that says that it lives, and has read up to `position`. */
  const says = (name: string, position: number): Promise<void> =>
    store.noteInstance({ id: name, name, version: '1', digest: 'd', position, staleAfterMs: STALE_MS })
  const revoke = async () => {
    const since = performance.now()
    const ended = await shell.run(['revoke', '--client', 'app', '--everywhere'])
    return { ...ended, tookMs: performance.now() - since }
  }

  beforeEach(() => begin(''))
  afterEach(async () => {
    clearInterval(beat)
    await store.close()
    shell.close()
  })

  it('waits for one that lives and reads nothing no longer than for one that is silent', async () => {
    await says('lagging', 0)
    beat = setInterval(() => void says('lagging', 0), 200)
    const { code, stdout, stderr, tookMs } = await revoke()
    assert.equal(code, 0, stderr)
    assert.match(stdout, /Every instance has it, or trusts itself no more/)
    assert.ok(tookMs >= STALE_MS, `${tookMs} ms: what it knew was good for longer`)
    assert.ok(tookMs <= STALE_MS + 2_000 + SLACK_MS, `${tookMs} ms`)
  })

  it('returns as soon as the last has read it', async () => {
    await says('b', 0)
    beat = setInterval(() => void says('b', 1), 200)
    assert.ok((await revoke()).tookMs < SLACK_MS)
  })

  it('says where it may not be in force when instances go on without knowing', async () => {
    await store.close()
    shell.close()
    await begin('on_stale_revocations: allow')
    await says('lagging', 0)
    const { code, stderr } = await revoke()
    assert.equal(code, 1)
    assert.match(stderr, /not in force at lagging: with `on_stale_revocations: allow`/)
    const [entry] = await store.revocations(0, 1)
    assert.equal(entry?.key, 'app')
  })
})
