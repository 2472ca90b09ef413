import assert from 'node:assert/strict'
import { describe, it, mock } from 'node:test'
import { watchStore } from '../../../src/server/store-health.ts'
import { StoreError } from '../../../src/store/store.ts'

describe('the health of the store', () => {
  it('is a fault while a disk is full that takes only what takes the place of something', async () => {
    mock.timers.enable({ apis: ['setInterval'] })
    const disk = { full: true }
    const store = {
      putValue: async (_name: string, value: string) => {
        if (disk.full && value.length > 8_192) throw new StoreError('store db: the disk is full', 'free space')
      },
    }
    const health = watchStore(store, undefined, { error: () => undefined, info: () => undefined })
    const look = async (): Promise<readonly unknown[]> => {
      mock.timers.tick(2_000)
      for (let n = 0; n < 10; n++) await new Promise((resolve) => setImmediate(resolve))
      return [health.fault()?.includes('the disk is full') ?? false, health.hasRoom()]
    }
    try {
      assert.deepEqual(await look(), [false, true], 'nobody has met it')
      health.noteFailure('40001')
      assert.deepEqual(await look(), [false, true])
      health.noteFailure('53100')
      assert.equal(health.hasRoom(), false)
      for (let n = 0; n < 3; n += 1) assert.deepEqual(await look(), [true, false])
      disk.full = false
      assert.deepEqual(await look(), [false, true])
    } finally {
      health.close()
      mock.timers.reset()
    }
  })

  it('is a fault while it can’t be written, told once, and none when it can again', async () => {
    mock.timers.enable({ apis: ['setInterval'] })
    const disk = { full: false }
    const told: string[] = []
    const store = {
      putValue: async () => {
        if (disk.full) throw new StoreError('store a.db: the disk is full', 'free space')
      },
    }
    const log = { error: (event: string) => void told.push(event), info: (event: string) => void told.push(event) }
    const health = watchStore(store, undefined, log)
    const look = async (): Promise<string | undefined> => {
      mock.timers.tick(2_000)
      for (let n = 0; n < 10; n++) await new Promise((resolve) => setImmediate(resolve))
      return health.fault()
    }
    try {
      assert.equal(await look(), undefined)
      disk.full = true
      assert.match((await look()) ?? '', /can't be written: store a\.db: the disk is full/)
      await look()
      disk.full = false
      assert.equal(await look(), undefined)
      assert.deepEqual(told, ['store.unwritable', 'store.writable'])
    } finally {
      health.close()
      mock.timers.reset()
    }
  })
})
