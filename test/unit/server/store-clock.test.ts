import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openStoreClock } from '../../../src/server/store-clock.ts'

/** A machine and a database, each with a clock that goes on as the test says; every answer of the database takes `tookMs`. */
function apart(offsetMs: number, tookMs = 0) {
  const time = { ms: 1_000_000 }
  const machine = { offsetMs, tookMs }
  const log: (readonly [string, string])[] = []
  const say = (level: string) => (event: string) => void log.push([level, event])
  return {
    log,
    machine,
    pass: (ms: number) => {
      time.ms += ms
    },
    trueMs: () => time.ms,
    store: {
      clock: async () => {
        const asked = time.ms
        time.ms += machine.tookMs
        return asked
      },
    },
    options: {
      now: () => time.ms + machine.offsetMs,
      monotonic: () => time.ms,
      log: { info: say('info'), warn: say('warn'), error: say('error') },
    },
  }
}

describe('the clock of the store', () => {
  it('time is the database’s, however this machine’s clock is set, and never later than it', async () => {
    const { store, options, pass, trueMs, machine } = apart(3_000, 40)
    const clock = await openStoreClock(store, options)
    assert.ok(clock.now() <= trueMs() && clock.now() >= trueMs() - 41, `${trueMs() - clock.now()}`)
    pass(5_000)
    machine.offsetMs = -90_000
    assert.ok(clock.now() <= trueMs() && clock.now() >= trueMs() - 45, `${trueMs() - clock.now()}`)
    clock.close()
  })

  it('says by how much this machine is ahead or behind', async () => {
    for (const offsetMs of [2_500, -2_500]) {
      const { store, options } = apart(offsetMs)
      const clock = await openStoreClock(store, options)
      assert.equal(clock.offsetSeconds(), offsetMs / 1_000)
      clock.close()
    }
  })

  it('up to a second off is right; beyond it is said; beyond five nothing may be issued, and why is told', async () => {
    const found = []
    for (const offsetMs of [900, -1_100, 4_900, -5_100, 6_000]) {
      const { store, options, log } = apart(offsetMs)
      const clock = await openStoreClock(store, options)
      found.push([log[0]?.join(' '), clock.fault() !== undefined])
      if (offsetMs === 6_000) assert.match(clock.fault() ?? '', /6\.0 s ahead of the database's: set the clock/)
      clock.close()
    }
    const off = ['warn clock.off', false]
    const refused = ['error clock.off', true]
    assert.deepEqual(found, [[undefined, false], off, off, refused, refused])
  })

  it('a slow answer leaves the benefit of the doubt', async () => {
    const { store, options, log } = apart(4_600, 2_000)
    const clock = await openStoreClock(store, options)
    assert.deepEqual([clock.fault(), log[0]?.join(' ')], [undefined, 'warn clock.off'])
    clock.close()
  })

  it('where the store is a file, time is this machine’s and is never off', async () => {
    const clock = await openStoreClock({ clock: async () => undefined }, apart(9_000).options)
    assert.deepEqual([clock.now(), clock.offsetSeconds(), clock.fault()], [1_009_000, 0, undefined])
    clock.close()
  })
})
