import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { AdminKeepsakes } from '../../../src/issuer/admin-session.ts'
import { createAdminKeepsakes } from '../../../src/issuer/sessions/admin-keepsakes.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import type { Store } from '../../../src/store/store.ts'

const MINUTE_MS = 60_000

describe('what the operator’s pages keep', () => {
  const folder = mkdtempSync(join(tmpdir(), 'audgate-keepsakes-'))
  const clock = { now: 1_700_000_000_000 }
  let store: Store
  let keepsakes: AdminKeepsakes
  let another: AdminKeepsakes
  before(async () => {
    store = await openSqliteStore(join(folder, 'audgate.db'), { now: () => clock.now })
    const context = { store, masterKey: randomBytes(32), now: () => clock.now }
    keepsakes = createAdminKeepsakes(context)
    another = createAdminKeepsakes(context)
  })
  after(async () => {
    await store.close()
    rmSync(folder, { recursive: true })
  })

  const form = { sub: 'ada', path: '/clients/x/secrets', form: 'a=1' }

  it('a form that met step-up is carried out once, by the same person, whichever instance is asked', async () => {
    const id = await keepsakes.keepForm(form)
    assert.equal(await another.lookForm(id, 'bob'), undefined)
    assert.equal(await another.takeForm(id, 'bob'), undefined)
    assert.deepEqual(await another.lookForm(id, 'ada'), form)
    const taken = await Promise.all([keepsakes, another, keepsakes, another].map((each) => each.takeForm(id, 'ada')))
    assert.equal(taken.filter((each) => each !== undefined).length, 1)
    assert.equal(await keepsakes.lookForm(id, 'ada'), undefined)
    assert.equal(await keepsakes.lookForm('../x', 'ada'), undefined)
  })

  it('a form waits for five minutes and no longer', async () => {
    const id = await keepsakes.keepForm(form)
    clock.now += 5 * MINUTE_MS - 1
    assert.deepEqual(await keepsakes.lookForm(id, 'ada'), form)
    clock.now += 1
    assert.equal(await keepsakes.takeForm(id, 'ada'), undefined)
  })

  it('a ticket opens one stream, of its session, within a minute', async () => {
    const ticket = keepsakes.makeTicket('guard')
    assert.equal(await another.spendTicket(ticket, 'of another session'), false)
    const spent = await Promise.all([keepsakes, another].map((each) => each.spendTicket(ticket, 'guard')))
    assert.deepEqual(spent.toSorted(), [false, true])
    const late = keepsakes.makeTicket('guard')
    clock.now += MINUTE_MS
    assert.equal(await keepsakes.spendTicket(late, 'guard'), false)
    assert.equal(await keepsakes.spendTicket(`${keepsakes.makeTicket('guard')}x`, 'guard'), false)
  })
})
