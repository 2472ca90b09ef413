import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SignatureBatch } from '../../../src/token/verifier.ts'

describe('work for the end of a turn', () => {
  it('waits until what has come was read, and is done in order, before what follows from any of it', async () => {
    const turn = new SignatureBatch()
    const done: string[] = []
    const note = (text: string) => () => void done.push(text)
    const all = ['a', 'b', 'c'].map((name) => turn.add(note(name)).then(note(`after ${name}`)))
    assert.deepEqual(done, [])
    await Promise.all(all)
    assert.deepEqual(done, ['a', 'b', 'c', 'after a', 'after b', 'after c'])
  })

  it('rejects alone when it throws', async () => {
    const turn = new SignatureBatch()
    const broken = turn.add(() => {
      throw new Error('a bug')
    })
    const whole = turn.add(() => 'whole')
    await assert.rejects(broken, /a bug/)
    assert.equal(await whole, 'whole')
  })

  it('is done at once when 64 wait', () => {
    const turn = new SignatureBatch()
    let done = 0
    for (let i = 0; i < 63; i += 1) turn.add(() => ++done)
    assert.equal(done, 0)
    turn.add(() => ++done)
    assert.equal(done, 64)
  })

  it('answers what comes of a promise, and takes more while it is being done', async () => {
    const turn = new SignatureBatch()
    assert.equal(await turn.add(() => turn.add(() => Promise.resolve('late'))), 'late')
  })
})
