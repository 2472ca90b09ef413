import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { PasskeyRecord } from '../../src/store/factor-store.ts'
import type { Store } from '../../src/store/store.ts'

function aPasskey(change: Partial<PasskeyRecord> = {}): PasskeyRecord {
  return {
    ...{ id: 'pk_1', sub: 'usr_1', credentialId: 'c1', publicKey: 'k', counter: 0, transports: ['internal', 'hybrid'] },
    ...{ backupEligible: true, backedUp: false, name: 'Laptop', createdAt: 1_000, lastUsedAt: undefined },
    ...change,
  }
}

/** What any store has to do for passkeys and what belongs to second factors. */
export function factorsContract(under: { readonly store: Store }): void {
  it('keeps passkeys of a person, the oldest first, up to a number, and each credential once', async () => {
    const { store } = under
    const first = aPasskey()
    assert.equal(await store.addPasskey(first, 2), 'added')
    assert.equal(await store.addPasskey(aPasskey({ id: 'pk_2', sub: 'usr_2' }), 2), 'there')
    const second = aPasskey({ id: 'pk_3', credentialId: 'c3', createdAt: 900, counter: 4 })
    assert.equal(await store.addPasskey(second, 2), 'added')
    assert.equal(await store.addPasskey(aPasskey({ id: 'pk_4', credentialId: 'c4' }), 2), 'too_many')
    assert.deepEqual(await store.passkeys('usr_1'), [second, first])
    assert.deepEqual(await store.passkeyByCredential('c1'), first)
    assert.equal(await store.renamePasskey('usr_2', 'pk_1', 'mine'), false)
    assert.equal(await store.renamePasskey('usr_1', 'pk_1', 'Tablet'), true)
    assert.equal((await store.passkeyByCredential('c1'))?.name, 'Tablet')
  })

  it('notes a use of a passkey for one of those who saw the same counter', async () => {
    const { store } = under
    await store.addPasskey(aPasskey({ id: 'pk_5', sub: 'usr_5', credentialId: 'c5', counter: 4 }), 2)
    const use = { counter: 7, backedUp: true, at: 2_000 }
    const done = await Promise.all([store.usePasskey('pk_5', 4, use), store.usePasskey('pk_5', 4, use)])
    assert.deepEqual(done.sort(), [false, true])
    const { counter, backedUp, lastUsedAt } = (await store.passkeyByCredential('c5')) ?? aPasskey()
    assert.deepEqual([counter, backedUp, lastUsedAt], [7, true, 2_000])
  })

  it('counts a step of an app and a recovery code once, whoever else tries it, and no earlier step', async () => {
    const { store } = under
    const [sub, sealed] = ['usr_7', 's7']
    await store.addAuthenticator({ sub, sealed, lastStep: 10, createdAt: 1 }, ['a', 'b'])
    const once = async (work: () => Promise<boolean>): Promise<number> =>
      (await Promise.all(Array.from({ length: 20 }, work))).filter(Boolean).length
    assert.equal(await once(() => store.spendStep(sub, sealed, 11)), 1)
    for (const step of [11, 10, 9]) assert.equal(await store.spendStep(sub, sealed, step), false, String(step))
    assert.equal(await once(() => store.spendRecoveryCode(sub, 'a')), 1)
    assert.equal(await store.spendRecoveryCode('usr_1', 'b'), false)
    assert.equal(await store.replaceAuthenticator({ sub, sealed: 'other', lastStep: 11, createdAt: 2 }), true)
    assert.equal(await store.spendStep(sub, sealed, 12), false, 'a code of the app from before')
    assert.equal(await store.spendStep(sub, 'other', 12), true)
  })

  it('lets recovery codes go with the last second factor, of whichever kind', async () => {
    const { store } = under
    const sub = 'usr_6'
    await store.addPasskey(aPasskey({ id: 'pk_6', sub, credentialId: 'c6' }), 2)
    await store.addAuthenticator({ sub, sealed: 's', lastStep: 1, createdAt: 1 }, ['a', 'b'])
    assert.equal(await store.removeAuthenticator(sub), true)
    assert.equal(await store.recoveryCodes(sub), 2)
    assert.equal(await store.removePasskey('usr_1', 'pk_6'), false)
    assert.equal(await store.removePasskey(sub, 'pk_6'), true)
    assert.equal(await store.recoveryCodes(sub), 0)
  })

  it('keeps what a refused request needs of the sign-in until it expires, the latest of a person and client, so many in all', async () => {
    const { store } = under
    const weak = { sub: 'usr_1', clientId: 'app', acr: 'mfa', maxAge: undefined, expiresAt: 2_000 }
    await store.noteWeakSignIn(weak, 2)
    const next = { ...weak, acr: undefined, maxAge: 60, expiresAt: 2_010 }
    await store.noteWeakSignIn(next, 2)
    assert.deepEqual(await store.weakSignIn('usr_1', 'app', 2_009), next)
    assert.equal(await store.weakSignIn('usr_1', 'app', 2_010), undefined)
    assert.equal(await store.weakSignIn('usr_1', 'other', 1_000), undefined)
    for (const clientId of ['b', 'c']) await store.noteWeakSignIn({ ...weak, clientId, expiresAt: 2_020 }, 2)
    assert.equal(await store.weakSignIn('usr_1', 'app', 1_000), undefined)
  })

  it('remembers browsers until they expire, and notes resets and recoveries', async () => {
    const { store } = under
    const browser = { hash: 'h', sub: 'usr_1', bound: 'b', createdAt: 1, expiresAt: 2_000 }
    await store.rememberBrowser(browser)
    assert.deepEqual(await store.rememberedBrowser('h', 1_999), browser)
    assert.equal(await store.rememberedBrowser('h', 2_000), undefined)
    await store.markFactorReset('usr_1', 5)
    await store.markFactorReset('usr_1', 6)
    assert.equal(await store.isFactorReset('usr_1'), true)
    await store.clearFactorReset('usr_1')
    assert.equal(await store.isFactorReset('usr_1'), false)
    await store.noteRecovery('usr_1', 5, '192.0.2.1')
    await store.noteRecovery('usr_1', 6, '192.0.2.2')
    assert.deepEqual(await store.recovery('usr_1'), { at: 6, address: '192.0.2.2' })
    await store.forgetRecovery('usr_1')
    assert.equal(await store.recovery('usr_1'), undefined)
  })
}
