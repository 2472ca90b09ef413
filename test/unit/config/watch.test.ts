import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { watchFiles } from '../../../src/config/watch.ts'

const BY_EVENTS = { settleMs: 40, pollMs: 60_000 }

describe('Watching files', () => {
  let folder: string
  let file: string
  let calls: number
  let stop: () => void

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'audgate-watch-'))
    file = join(folder, 'routes.yaml')
    calls = 0
    writeFileSync(file, 'one')
    stop = () => {}
  })

  afterEach(() => {
    stop()
    rmSync(folder, { recursive: true })
  })

  const start = (paths: readonly string[], timing: { settleMs: number; pollMs: number }) => {
    stop = watchFiles(paths, () => void calls++, timing)
  }

  /** Polls, so that a slow machine passes and a broken watcher fails. */
  async function called(times: number): Promise<void> {
    const deadline = performance.now() + 5000
    while (calls < times && performance.now() < deadline) await pause(5)
    assert.equal(calls, times)
  }

  it('a save in place is one change, however many steps it takes', async () => {
    start([file], BY_EVENTS)
    writeFileSync(file, '')
    writeFileSync(file, 'two')
    writeFileSync(file, 'three')
    await called(1)
    writeFileSync(file, 'four')
    await called(2)
  })

  it('a rename over the file is a change, again and again', async () => {
    start([file], BY_EVENTS)
    for (const [at, text] of ['two', 'three', 'four'].entries()) {
      writeFileSync(join(folder, '.tmp'), text)
      renameSync(join(folder, '.tmp'), file)
      await called(at + 1)
    }
  })

  it('a swapped symlink is a change, as Kubernetes mounts its files', async () => {
    const mount = join(folder, 'mount')
    for (const version of ['v1', 'v2']) {
      mkdirSync(join(mount, version), { recursive: true })
      writeFileSync(join(mount, version, 'routes.yaml'), version)
    }
    symlinkSync('v1', join(mount, '..data'))
    symlinkSync('..data/routes.yaml', join(mount, 'routes.yaml'))
    start([join(mount, 'routes.yaml')], BY_EVENTS)
    symlinkSync('v2', join(mount, '..data_tmp'))
    renameSync(join(mount, '..data_tmp'), join(mount, '..data'))
    await called(1)
  })

  it('a file that is missing for a moment is waited for', async () => {
    start([file], BY_EVENTS)
    rmSync(file)
    await pause(3 * BY_EVENTS.settleMs)
    assert.equal(calls, 0)
    writeFileSync(file, 'two')
    await called(1)
  })

  it('a save with the same content, and a neighbour, are no change', async () => {
    const other = join(folder, 'other.pem')
    start([file, other], BY_EVENTS)
    writeFileSync(file, 'one')
    writeFileSync(join(folder, 'neighbour'), 'x')
    writeFileSync(other, 'appears')
    await called(1)
    await pause(3 * BY_EVENTS.settleMs)
    assert.equal(calls, 1)
  })

  it('a change without any event is found by looking', async () => {
    const real = mkdtempSync(join(tmpdir(), 'audgate-real-'))
    writeFileSync(join(real, 'routes.yaml'), 'one')
    const link = join(folder, 'link.yaml')
    symlinkSync(join(real, 'routes.yaml'), link)
    start([link], { settleMs: 10, pollMs: 20 })
    writeFileSync(join(real, 'routes.yaml'), 'two')
    await called(1)
    rmSync(real, { recursive: true })
  })

  it('after stopping no call comes', async () => {
    start([file], BY_EVENTS)
    writeFileSync(file, 'two')
    stop()
    await pause(3 * BY_EVENTS.settleMs)
    assert.equal(calls, 0)
  })
})
