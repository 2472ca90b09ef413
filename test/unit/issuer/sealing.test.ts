import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { deriveKey, loadMasterKey, masterKeyFile, seal, unseal } from '../../../src/issuer/keys/sealing.ts'
import { StoreError } from '../../../src/store/store.ts'

const KEY = Buffer.alloc(32, 1)

describe('sealing', () => {
  it('opens what it sealed, each time under a nonce of its own', () => {
    const [one, other] = [seal(KEY, 'p', 'text'), seal(KEY, 'p', 'text')]
    assert.notEqual(one, other)
    assert.equal(unseal(KEY, 'p', one), 'text')
    assert.equal(unseal(KEY, 'p', seal(KEY, 'p', '')), '')
  })

  it('opens nothing under another key or purpose, and nothing that was changed or cut', () => {
    const sealed = seal(KEY, 'p', 'text')
    assert.equal(unseal(Buffer.alloc(32, 2), 'p', sealed), undefined)
    assert.equal(unseal(KEY, 'q', sealed), undefined)
    for (let at = 0; at < sealed.length; at++) {
      const changed = `${sealed.slice(0, at)}${sealed[at] === 'A' ? 'B' : 'A'}${sealed.slice(at + 1)}`
      // The last character carries bits that base64url does not use.
      if (Buffer.from(changed, 'base64url').equals(Buffer.from(sealed, 'base64url'))) continue
      assert.equal(unseal(KEY, 'p', changed), undefined)
    }
    for (const cut of ['', 'AAAA', sealed.slice(0, 20), sealed.slice(0, -4)])
      assert.equal(unseal(KEY, 'p', cut), undefined)
  })

  it('opens one spelling alone: no bits left over, no padding, no other alphabet', () => {
    for (const plain of ['a', 'ab', 'abc']) {
      const sealed = seal(KEY, 'p', plain)
      const bytes = Buffer.from(sealed, 'base64url')
      const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
      const others = [...alphabet].map((last) => sealed.slice(0, -1) + last).filter((other) => other !== sealed)
      for (const other of [...others, `${sealed}=`, `${sealed}==`, ` ${sealed}`, `${sealed}\n`])
        assert.equal(unseal(KEY, 'p', other), undefined, `${other} for ${bytes.length} bytes`)
    }
  })
  it('derives different keys for different purposes', () => {
    assert.equal(deriveKey(KEY, 'a').equals(deriveKey(KEY, 'b')), false)
    assert.equal(deriveKey(KEY, 'a').length, 32)
  })
})

describe('the master key', () => {
  const folder = mkdtempSync(join(tmpdir(), 'audgate-key-'))
  after(() => rmSync(folder, { recursive: true, force: true }))

  it('comes from AUDGATE_SECRET alone when that is set', async () => {
    const [one, same, other] = await Promise.all(
      ['a secret of some length', 'a secret of some length', 'another secret of length'].map((secret) =>
        loadMasterKey(secret, join(folder, 'unused.db')),
      ),
    )
    assert.ok(one !== undefined && same !== undefined && other !== undefined)
    assert.ok(one.equals(same) && !one.equals(other))
    assert.deepEqual(readdirSync(folder), [])
  })

  it('else from a 0600 file beside the store, which ten starts at once make once', async () => {
    const path = join(folder, 'deep', 'audgate.db')
    const keys = await Promise.all(Array.from({ length: 10 }, () => loadMasterKey(undefined, path)))
    assert.equal(new Set(keys.map((key) => key.toString('hex'))).size, 1)
    assert.equal(keys[0]?.length, 32)
    assert.deepEqual(readdirSync(join(folder, 'deep')), ['audgate.db.key'])
    if (process.platform !== 'win32') assert.equal(statSync(masterKeyFile(path)).mode & 0o777, 0o600)
    assert.ok(keys[0]?.equals(await loadMasterKey(undefined, path)))
  })

  it('one that others may read or write is refused, with what to do', {
    skip: process.platform === 'win32',
  }, async () => {
    const path = join(folder, 'wide.db')
    await loadMasterKey(undefined, path)
    for (const mode of [0o640, 0o604, 0o620]) {
      chmodSync(masterKeyFile(path), mode)
      await assert.rejects(
        loadMasterKey(undefined, path),
        (error) => error instanceof StoreError && /mode 06/.test(error.message) && /chmod 600/.test(error.hint),
      )
    }
    chmodSync(masterKeyFile(path), 0o600)
    await loadMasterKey(undefined, path)
  })

  it('a damaged file is said to be so, not replaced', async () => {
    const path = join(folder, 'damaged.db')
    writeFileSync(masterKeyFile(path), 'short', { mode: 0o600 })
    await assert.rejects(
      loadMasterKey(undefined, path),
      (error) => error instanceof StoreError && /damaged/.test(error.message),
    )
  })
})
