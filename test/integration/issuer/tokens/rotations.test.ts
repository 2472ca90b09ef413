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

/** Bytes of the file's pages that hold something, but for the audit trail, which has bounds of its own. */
function storeBytes(): number {
  const file = new DatabaseSync(join(issuer.folder, 'audgate.db'), { readOnly: true })
  const sql = "SELECT sum(pgsize) AS bytes FROM dbstat WHERE name NOT LIKE 'audits%'"
  const bytes = Number(file.prepare(sql).get()?.bytes)
  file.close()
  return bytes
}

describe('a family that is rotated again and again', () => {
  it('10,000 times lets the store grow by less than 4 MB, audit lines apart', async () => {
    const asked = { clientId: 'cli', redirectUri: CALLBACK, scope: 'photos:read' }
    const { body } = await redeem(issuer.url, await new Person(issuer.url, 'alice').authorize(asked), asked)
    let token = body.refresh_token
    const rotate = async (times: number): Promise<number> => {
      for (let n = 0; n < times; n += 1) {
        const answer = await askToken(issuer.url, {
          grant_type: 'refresh_token',
          refresh_token: token,
          client_id: 'cli',
        })
        assert.equal(answer.status, 200, JSON.stringify(answer.body))
        token = answer.body.refresh_token
      }
      return storeBytes()
    }
    const begin = storeBytes()
    // What is kept of a family is full by then: the rest grows evenly.
    const settled = await rotate(Math.floor(ROTATIONS / 2))
    const rest = Math.ceil(ROTATIONS / 2)
    const each = ((await rotate(rest)) - settled) / rest
    const whole = settled - begin + each * (PROMISED - rest)
    assert.ok(whole < 4e6, `${whole} bytes: ${settled - begin} at first, then ${each} for each`)
  })
})
