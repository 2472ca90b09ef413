import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { aClient } from '../../contract/store-records.ts'
import { type AdminGateway, startAdminGateway } from '../../support/admin-gateway.ts'
import { Person, redeem } from '../../support/issuer/browser-less-person.ts'
import { CALLBACK } from '../../support/issuer/served-issuer.ts'

const TRIES = 500
/** A minute's reads of one caller. */
const READS = 550

interface Tried {
  readonly issue: { readonly given: readonly string[] }
  readonly decision: { readonly outcome: string; readonly reason?: string }
}

describe('Trying access', () => {
  const under: { gate: AdminGateway } = { gate: undefined as never }
  before(async () => {
    under.gate = await startAdminGateway()
  })
  after(() => under.gate.close())

  it(`says for ${TRIES} people, clients, resources, scopes and requests what is issued, and what is answered`, async () => {
    const { gate } = under
    const people = new Map<string, Person>()
    const known = new Map<string, ReturnType<typeof issued>>()
    for (const [name, groups] of [
      ['eve', ['photos']],
      ['fay', ['editors', 'files']],
      ['gil', ['files']],
      ['ida', []],
    ] as const) {
      await gate.addPerson(name, groups)
      people.set(name, new Person(gate.url, name))
    }
    await gate.store.addClient(aClient({ id: 'ended', redirectUris: [CALLBACK], revoked: true }))
    const tokens = [await gate.signIn('alice')]
    const chance = seeded(20_261_128)
    for (let i = 0; i < TRIES; i += 1) {
      if (i % READS === READS - 1) tokens.unshift(await gate.signIn('alice'))
      const name = chance.of([...people.keys()])
      const client = chance.of(['cli', 'cli', 'cli', 'ended'])
      const id = chance.of(['photos', 'files'])
      const scopes = [`${id}:read`, `${id}:write`].filter(() => chance.next() < 0.6)
      const method = chance.of(['GET', 'PUT', 'DELETE'])
      const path = `/${chance.of(['photos', 'files'])}/${chance.of(['a', 'inbox/b'])}`
      const resource = `${gate.url}/${id}`
      const body = {
        ...{ person: name, client, resource, ...(scopes.length === 0 ? {} : { scopes }) },
        request: { method, url: `${gate.url}${path}` },
      }
      const tried = await gate.call(tokens[0], '/access/try', 'POST', body)
      assert.equal(tried.status, 200, JSON.stringify(tried.body))
      const { issue, decision } = tried.body as unknown as Tried
      const asked = scopes.length === 0 ? `${id}:read ${id}:write` : scopes.join(' ')
      const key = JSON.stringify([name, client, resource, asked])
      const person = people.get(name) ?? new Person(gate.url, name)
      const real = await (known.get(key) ?? issued(person, client, resource, asked))
      known.set(key, Promise.resolve(real))
      const about = JSON.stringify({ body, real: real?.scope, tried: tried.body })
      assert.deepEqual([...issue.given].sort(), (real?.scope ?? '').split(' ').filter(Boolean).sort(), about)
      const answer = await fetch(`${gate.url}${path}`, {
        method,
        headers: real === undefined ? {} : { authorization: `Bearer ${real.token}` },
      })
      const text = await answer.text()
      const reason: unknown = answer.status === 200 ? undefined : JSON.parse(text).reason
      assert.equal(decision.reason, reason, about)
    }
  })

  async function issued(person: Person, clientId: string, resource: string, scope: string) {
    const asked = { clientId, redirectUri: CALLBACK, scope, resource }
    const attempt = await person.authorize(asked)
    if (attempt.code === '') return undefined
    const { body } = await redeem(under.gate.url, attempt, asked)
    const { access_token: token, scope: given = '' } = body
    return token === undefined ? undefined : { token, scope: given }
  }
})

/** The same choices each time. */
function seeded(seed: number) {
  const state = { at: seed }
  const next = (): number => {
    state.at = (Math.imul(state.at, 1_664_525) + 1_013_904_223) >>> 0
    return state.at / 2 ** 32
  }
  return { next, of: <T>(items: readonly T[]): T => items[Math.floor(next() * items.length)] as T }
}
