import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { until } from '../../../support/gateway-under-test.ts'
import {
  pressProvider,
  providerEntries,
  providerEntry,
  type Traveller,
  traveller,
} from '../../../support/issuer/federated-issuer.ts'
import { startProvider, type TestProvider } from '../../../support/issuer/identity-provider.ts'
import { type IssuerUnderTest, startIssuer } from '../../../support/issuer/issuer-under-test.ts'
import { MINUTE, type ShiftedClock, shiftClock } from '../../../support/programs/shifted-clock.ts'

let clock: ShiftedClock
let gate: IssuerUnderTest
let home: TestProvider
let office: TestProvider

before(async () => {
  clock = shiftClock()
  gate = await startIssuer({ now: () => Date.now() })
  home = await startProvider({ kind: 'authentik', callback: '*' })
  office = await startProvider({ kind: 'keycloak', callback: '*' })
})
after(async () => {
  await gate.close()
  await home.close()
  await office.close()
  clock.restore()
})

/** Somebody with nothing but a browser session. */
async function arrive(provider: TestProvider, sub: string): Promise<Traveller> {
  provider.setAccount({ sub, username: sub, groups: ['photos'] })
  provider.person = sub
  const who = traveller(gate.url, provider)
  const name = provider === home ? /Home/ : /Office/
  assert.match((await pressProvider(who, await who.here.open('/account'), name)).text, /Who you are/)
  return who
}

const isSignedIn = async ({ here }: Traveller): Promise<boolean> =>
  /Who you are/.test((await here.open('/account?password')).text)

const refreshes = (provider: TestProvider): number => provider.calls('/token')

describe('asking in the background', () => {
  it('a silent provider with many people holds up nobody else’s', async () => {
    await gate.reconfigure({
      providers: providerEntries([
        [home, 'name: Home, groups: { take: all }'],
        [office, 'name: Office, groups: { take: all }'],
      ]),
    })
    // More than are asked for in one look; all of them have waited longer than the one of the other provider.
    for (let n = 0; n < 55; n += 1) await arrive(home, `home-${n}`)
    const theirs = await arrive(office, 'olga')
    home.defects.instead = (_path, response) => {
      response.writeHead(502).end()
      return true
    }
    office.setAccount({ ...office.account('olga'), disabled: true })
    clock.forward(16 * MINUTE)
    const look = gate.issuer().askProviders()
    await until(async () => !(await isSignedIn(theirs)), 'the other provider is asked', 10_000)
    home.defects.instead = undefined
    await gate.reconfigure({ providers: [] })
    await look
  })

  it('whoever falls due is asked next, whoever waits; and never more than ten a second', async () => {
    await gate.reconfigure({ providers: [providerEntry(office, 'name: Office')] })
    for (let n = 0; n < 20; n += 1) await arrive(office, `office-${n}`)
    clock.forward(16 * MINUTE)
    const late = await arrive(office, 'late')
    const link = await gate.store.providerSignIns({ issuer: office.issuer, person: 'late' })
    office.setAccount({ ...office.account('late'), disabled: true })
    const [before, begunMs] = [refreshes(office), performance.now()]
    const look = gate.issuer().askProviders()
    await until(() => refreshes(office) > before, 'the look begins')
    await gate.store.makeDue(
      link.map(({ id }) => id),
      Date.now(),
    )
    await until(async () => !(await isSignedIn(late)), 'the due one is asked')
    assert.ok(refreshes(office) - before < 20, 'before most of the others')
    await look
    const [asked, seconds] = [refreshes(office) - before, (performance.now() - begunMs) / 1_000]
    assert.equal(asked, 21)
    assert.ok(asked <= 1 + 10 * seconds, `${asked} in ${seconds} s`)
  })
})
