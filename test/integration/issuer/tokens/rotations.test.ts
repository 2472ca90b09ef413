import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, it } from 'node:test'
import { askToken, Person, redeem } from '../../../support/issuer/browser-less-person.ts'
import { type IssuerUnderTest, startIssuer } from '../../../support/issuer/issuer-under-test.ts'

const CALLBACK = 'http://127.0.0.1:7001/cb'
/** More of them by hand: `AUDGATE_ROUNDS=10000`. */
const ROTATIONS = Number(process.env.AUDGATE_ROUNDS ?? 700)
const PROMISED = 10_000
let issuer: IssuerUnderTest

before(async () => {
  issuer = await startIssuer()
  await issuer.addClient({ id: 'cli', type: 'native', redirectUris: [CALLBACK] })
  await issuer.addPerson('alice', ['photos'])
})
after(() => issuer.close())

interface Size {
  /** Bytes of the pages that hold something. */
  readonly pages: number
  /** Bytes in their cells: what is kept, without the room that deleted rows left between the others. */
  readonly kept: number
}

/** The store's size after a sweep, but for the audit trail, which has bounds of its own. Spendings prune a family by chance: only then is it as full each time. */
async function storeSize(): Promise<Size> {
  await issuer.store.sweep(Math.floor(Date.now() / 1000))
  const file = new DatabaseSync(join(issuer.folder, 'audgate.db'), { readOnly: true })
  const sql = "SELECT sum(pgsize) AS pages, sum(payload) AS kept FROM dbstat WHERE name NOT LIKE 'audits%'"
  const row = file.prepare(sql).get()
  file.close()
  return { pages: Number(row?.pages), kept: Number(row?.kept) }
}

describe('a family that is rotated again and again', () => {
  it('10,000 times lets the store grow by less than 4 MB, audit lines apart', async () => {
    const asked = { clientId: 'cli', redirectUri: CALLBACK, scope: 'photos:read' }
    const { body } = await redeem(issuer.url, await new Person(issuer.url, 'alice').authorize(asked), asked)
    let token = body.refresh_token
    const rotate = async (times: number): Promise<Size> => {
      for (let n = 0; n < times; n += 1) {
        const answer = await askToken(issuer.url, {
          grant_type: 'refresh_token',
          refresh_token: token,
          client_id: 'cli',
        })
        assert.equal(answer.status, 200, JSON.stringify(answer.body))
        token = answer.body.refresh_token
      }
      return storeSize()
    }
    const begin = await storeSize()
    // What is kept of a family is full by then: the rest grows evenly.
    const settled = await rotate(Math.floor(ROTATIONS / 2))
    const rest = Math.ceil(ROTATIONS / 2)
    const end = await rotate(rest)
    const each = (end.kept - settled.kept) / rest
    const whole = end.pages - begin.pages + each * Math.max(0, PROMISED - ROTATIONS)
    assert.ok(whole < 4e6, `${whole} bytes: ${JSON.stringify({ begin, settled, end })}, then ${each} for each`)
  })
})
