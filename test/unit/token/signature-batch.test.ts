import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SignatureBatch } from '../../../src/token/signature-batch.ts'

describe('work for the end of a turn', () => {
  it('waits until what has come was read, and is done in order, before what follows from any of it', async () => {
    const batch = new SignatureBatch()
    const done: string[] = []
    const note = (text: string) => () => void done.push(text)
    const all = ['a', 'b', 'c'].map((name) => batch.add(note(name)).then(note(`after ${name}`)))
    assert.deepEqual(done, [])
    await Promise.all(all)
    assert.deepEqual(done, ['a', 'b', 'c', 'after a', 'after b', 'after c'])
  })

  it('rejects alone when it throws', async () => {
    const batch = new SignatureBatch()
    const broken = batch.add(() => {
      throw new Error('a bug')
    })
    const whole = batch.add(() => 'whole')
    await assert.rejects(broken, /a bug/)
    assert.equal(await whole, 'whole')
  })

  it('is done at once when 64 wait', () => {
    const batch = new SignatureBatch()
    let done = 0
    for (let i = 0; i < 63; i += 1) batch.add(() => ++done)
    assert.equal(done, 0)
    batch.add(() => ++done)
    assert.equal(done, 64)
  })

  it('answers what comes of a promise, and takes more while it is being done', async () => {
    const batch = new SignatureBatch()
    assert.equal(await batch.add(() => batch.add(() => Promise.resolve('late'))), 'late')
  })
})
