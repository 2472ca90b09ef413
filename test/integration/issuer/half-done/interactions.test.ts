import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import { Secret, TOTP } from 'otpauth'
import type { ResourceIdentifier, Scope } from '../../../../src/core/resource.ts'
import { keepAdminClient } from '../../../../src/issuer/clients/admin-client.ts'
import {
  type AuthorizeOptions,
  askToken,
  authorizationAttempt,
  formsOf,
  formWith,
  type Page,
  Person,
  post,
  redeem,
} from '../../../support/issuer/browser-less-person.ts'
import { type IssuerUnderTest, PASSWORD, startIssuer } from '../../../support/issuer/issuer-under-test.ts'
import { press } from '../../../support/issuer/passkey-person.ts'

const redirectUri = 'http://127.0.0.1:7001/cb'
const options: AuthorizeOptions = { clientId: 'print', redirectUri, scope: 'photos:read' }
let issuer: IssuerUnderTest
let aheadMs = 0
const nowMs = (): number => Date.now() + aheadMs

before(async () => {
  issuer = await startIssuer({ now: nowMs, settings: { secondFactor: ['guarded'] } })
  await issuer.addClient({ id: 'print', type: 'native', redirectUris: [redirectUri], thirdParty: true })
})
after(() => issuer.close())

/** What a flow was left at; `goOn` takes it up, and answers whether it came to anything. */
interface HalfDone {
  readonly person: Person
  readonly goOn: () => Promise<boolean>
}

type Stage = (person: Person) => Promise<HalfDone['goOn']>

const isCallback = ({ url }: Page): boolean => url.startsWith(redirectUri)

/** Does one step without following where its answer leads. */
async function only(person: Person, step: () => Promise<Page>): Promise<Page> {
  person.follows = false
  try {
    return await step()
  } finally {
    person.follows = true
  }
}

async function hasTokens(page: Page, verifier: string): Promise<boolean> {
  const code = isCallback(page) ? new URL(page.url).searchParams.get('code') : null
  if (code === null) return false
  return (await redeem(issuer.url, { code, verifier }, options)).status === 200
}

/** Goes on as far as a browser would by itself and with whatever buttons say yes. */
async function finish(person: Person, page: Page, verifier: string): Promise<boolean> {
  const next = /value="approve"/.test(page.text) ? await person.decide(page, 'approve') : page
  return hasTokens(next, verifier)
}

async function toConsent(person: Person): Promise<{ page: Page; verifier: string }> {
  const { url, verifier } = authorizationAttempt(issuer.url, { ...options, more: { prompt: 'consent' } })
  return { page: await person.signIn(await person.open(url)), verifier }
}

async function toApproval(person: Person): Promise<{ page: Page; deviceCode: string }> {
  const asked = await post(`${issuer.url}/oauth/device_authorization`, { client_id: 'print', scope: 'photos:read' })
  const page = await person.open('/oauth/device')
  const typed = await person.send(page, formWith(page, 'user_code'), { user_code: String(asked.body.user_code) })
  return { page: typed, deviceCode: String(asked.body.device_code) }
}

async function deviceHasTokens(deviceCode: string): Promise<boolean> {
  const grant = 'urn:ietf:params:oauth:grant-type:device_code'
  const answer = await askToken(issuer.url, { grant_type: grant, client_id: 'print', device_code: deviceCode })
  return answer.status === 200
}

/** A code is good once: the next is of a later moment. */
function nextCode(secret: string): string {
  aheadMs += 60_000
  return new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: nowMs() })
}

const secretOn = ({ text }: Page): string => (/class="secret">([A-Z2-7 ]+)</.exec(text)?.[1] ?? '').replaceAll(' ', '')

/** Gives the person an authenticator app, in another browser; answers its secret. */
async function withApp({ username }: Person): Promise<string> {
  const elsewhere = new Person(issuer.url, username)
  const page = await press(elsewhere, await elsewhere.signIn(await elsewhere.open('/account')), 'authenticator-add')
  await press(elsewhere, page, 'authenticator-confirm', { code: nextCode(secretOn(page)) })
  return secretOn(page)
}

const STAGES: Readonly<Record<string, Stage>> = {
  'a password that was right, not followed': async (person) => {
    const { url, verifier } = authorizationAttempt(issuer.url, options)
    const signIn = await person.open(url)
    const left = await only(person, () => person.signIn(signIn))
    return async () => finish(person, await person.open(left.url), verifier)
  },
  'a consent page that is open': async (person) => {
    const { page, verifier } = await toConsent(person)
    return () => finish(person, page, verifier)
  },
  'a consent that was given, not taken up': async (person) => {
    const { page, verifier } = await toConsent(person)
    const left = await only(person, () => person.decide(page, 'approve'))
    return async () => finish(person, await person.open(left.url), verifier)
  },
  'a password typed again in a session, not followed': async (person) => {
    await person.signIn(await person.open('/account'))
    const { url, verifier } = authorizationAttempt(issuer.url, { ...options, more: { prompt: 'login' } })
    const signIn = await person.open(url)
    const left = await only(person, () => person.signIn(signIn))
    return async () => finish(person, await person.open(left.url), verifier)
  },
  'a code that was not redeemed': async (person) => {
    const { page, verifier } = await toConsent(person)
    const arrived = await person.decide(page, 'approve')
    return () => hasTokens(arrived, verifier)
  },
  'a password at a device’s code, not followed': async (person) => {
    const { page, deviceCode } = await toApproval(person)
    const left = await only(person, () => person.signIn(page))
    return async () => {
      const next = await person.open(left.url)
      if (/value="approve"/.test(next.text)) await person.decide(next, 'approve')
      return deviceHasTokens(deviceCode)
    }
  },
  'a device’s approval page that is open': async (person) => {
    const { page, deviceCode } = await toApproval(person)
    const asked = await person.signIn(page)
    return async () => {
      await person.decide(asked, 'approve')
      return deviceHasTokens(deviceCode)
    }
  },
  'a device’s approval that was given, not taken up': async (person) => {
    const { page, deviceCode } = await toApproval(person)
    const asked = await person.signIn(page)
    const left = await only(person, () => person.decide(asked, 'approve'))
    return async () => {
      await person.open(left.url)
      return deviceHasTokens(deviceCode)
    }
  },
  'an approved device that has not asked yet': async (person) => {
    const { page, deviceCode } = await toApproval(person)
    await person.decide(await person.signIn(page), 'approve')
    return () => deviceHasTokens(deviceCode)
  },
}

/** Each once for a person, for it changes what there is to sign in with. */
const ONCE: Readonly<Record<string, Stage>> = {
  'a password that was right, before the code': async (person) => {
    const secret = await withApp(person)
    const { url, verifier } = authorizationAttempt(issuer.url, options)
    const asked = await person.signIn(await person.open(url))
    return async () => {
      const form = formsOf(asked).find(({ fields }) => fields.has('passed'))
      if (form === undefined) return false
      return finish(person, await person.send(asked, form, { code: nextCode(secret) }), verifier)
    }
  },
  'a password that was right, before a second factor is added': async (person) => {
    const { sub = '' } = (await issuer.store.userByName(person.username)) ?? {}
    await issuer.acts.changeGroups(sub, ['photos', 'guarded'], 'test')
    const { url, verifier } = authorizationAttempt(issuer.url, options)
    const app = await press(person, await person.signIn(await person.open(url)), 'enrol-app')
    return async () => {
      const code = nextCode(secretOn(app))
      const added = await press(person, app, 'enrol-app-confirm', { code })
      const [, next] = /class="button primary" href="([^"]*)"/.exec(added.text) ?? []
      return next !== undefined && finish(person, await person.open(next), verifier)
    }
  },
}

interface Act {
  readonly carryOut: (sub: string) => Promise<unknown>
  /** Whether the browser's session ends, too. */
  readonly session: 'ends' | 'stays'
}

const acts = () => issuer.acts
const ACTS: Readonly<Record<string, Act>> = {
  'a changed password': { carryOut: (sub) => acts().changePassword(sub, 'other', {}, 'test'), session: 'ends' },
  'all that a person has revoked': { carryOut: (sub) => acts().revokeUser(sub, 'test'), session: 'ends' },
  'signing out everywhere': { carryOut: (sub) => acts().signOutEverywhere(sub, 'test'), session: 'ends' },
  'an account disabled and enabled': {
    carryOut: async (sub) => {
      await acts().disableUser(sub, 'test')
      await acts().enableUser(sub, 'test')
    },
    session: 'ends',
  },
  'one client of a person revoked': {
    carryOut: (sub) => acts().revokeUserClient(sub, 'print', 'test'),
    session: 'stays',
  },
  'an app disconnected': { carryOut: (sub) => acts().revokeConsent(sub, 'print', 'test'), session: 'stays' },
  'a client’s tokens revoked': { carryOut: () => acts().endClient('print', 'test'), session: 'stays' },
  'a client revoked and restored': {
    carryOut: async () => {
      await acts().revokeClient('print', 'test')
      await acts().restoreClient('print', 'test')
    },
    session: 'stays',
  },
  'a group taken away': { carryOut: (sub) => acts().changeGroups(sub, [], 'test'), session: 'stays' },
}

/** Acts after which the person can sign in again as before. */
const LASTING = [
  'all that a person has revoked',
  'signing out everywhere',
  'an account disabled and enabled',
  'one client of a person revoked',
  'an app disconnected',
] as const

async function halfDone(stage: Stage, username: string): Promise<HalfDone & { readonly sub: string }> {
  const { sub } = await issuer.addPerson(username, ['photos'])
  const person = new Person(issuer.url, username)
  return { person, sub, goOn: await stage(person) }
}

let count = 0

function newName(): string {
  count += 1
  return `person-${count}`
}

describe('what is half done', () => {
  for (const [what, stage] of Object.entries({ ...STAGES, ...ONCE })) {
    it(`goes on where nothing comes between: ${what}`, async () => {
      assert.equal(await (await halfDone(stage, newName())).goOn(), true)
    })
    for (const [name, act] of Object.entries(ACTS)) {
      it(`gives nothing after ${name}: ${what}`, async () => {
        const { person, sub, goOn } = await halfDone(stage, newName())
        await act.carryOut(sub)
        assert.equal(await goOn(), false)
        if (act.session === 'stays') return
        const account = await person.open('/account')
        assert.match(account.text, /name="password"/, 'nobody is signed in')
      })
    }
  }
})

/** Takes a sign-in, or a consent, up to where a client would ask for tokens. */
const TAKEN_UP: readonly ((person: Person) => Promise<{ goOn: () => Promise<Page>; verifier: string }>)[] = [
  async (person) => {
    const { url, verifier } = authorizationAttempt(issuer.url, options)
    const signIn = await person.open(url)
    const left = await only(person, () => person.signIn(signIn))
    return { goOn: () => person.open(left.url), verifier }
  },
  async (person) => {
    const { page, verifier } = await toConsent(person)
    return { goOn: () => person.decide(page, 'approve'), verifier }
  },
]

describe('an act while a sign-in or a consent is being taken up', () => {
  for (const [method, side] of [
    ['model', 'after'],
    ['putModel', 'before'],
    ['putModel', 'after'],
  ] as const) {
    it(`leaves no session and no tokens, ${side} any ${method}`, async () => {
      for (const takenUp of TAKEN_UP) {
        for (let nth = 0; nth < 8; nth += 1) {
          const { sub, username } = await issuer.addPerson(newName(), ['photos'])
          const person = new Person(issuer.url, username)
          const { goOn, verifier } = await takenUp(person)
          const acted = interrupt(method, side, nth, () => issuer.acts.signOutEverywhere(sub, 'test'))
          const page = await goOn()
          if (!acted()) break
          assert.equal(await finish(person, page, verifier), false, `call ${nth}`)
          assert.match((await person.open('/account')).text, /name="password"/, `call ${nth}`)
        }
      }
    })
  }
})

describe('whatever comes after what', () => {
  it('nothing that was begun before an act gives anything after it, and what was begun after it does', async () => {
    const stages = Object.keys(STAGES)
    // Two of the same person, side by side or one after the other, with acts at any point between.
    const event = fc.oneof(
      { weight: 3, arbitrary: fc.record({ begin: fc.constantFrom(...stages) }) },
      { weight: 2, arbitrary: fc.record({ takeUp: fc.nat(3) }) },
      { weight: 1, arbitrary: fc.record({ act: fc.constantFrom(...LASTING) }) },
    )
    const property = fc.asyncProperty(fc.array(event, { minLength: 3, maxLength: 7 }), async (schedule) => {
      const { sub, username } = await issuer.addPerson(newName(), ['photos'])
      let open: { readonly goOn: HalfDone['goOn']; ended: boolean }[] = []
      for (const each of schedule) {
        if ('begin' in each) {
          // A browser of its own: sign-ins in one share its session.
          const goOn = await (STAGES[each.begin] as Stage)(new Person(issuer.url, username))
          open.push({ goOn, ended: false })
        } else if ('act' in each) {
          await ACTS[each.act]?.carryOut(sub)
          for (const flow of open) flow.ended = true
        } else {
          const flow = open[each.takeUp % Math.max(open.length, 1)]
          if (flow === undefined) continue
          open = open.filter((other) => other !== flow)
          assert.equal(await flow.goOn(), !flow.ended)
        }
      }
      for (const { goOn, ended } of open) assert.equal(await goOn(), !ended)
    })
    await fc.assert(property, { numRuns: 12, verbose: 1 })
  })
})

/** Lets `act` come beside the nth call of a method of the store; answers whether it has. */
function interrupt(method: 'model' | 'putModel', side: 'before' | 'after', nth: number, act: () => Promise<unknown>) {
  const { store } = issuer
  const original = store[method].bind(store) as (...args: never[]) => Promise<unknown>
  let calls = 0
  let acted = false
  const restore = (): void => void Object.assign(store, { [method]: original })
  Object.assign(store, {
    [method]: async (...args: never[]) => {
      calls += 1
      if (calls <= nth) return original(...args)
      restore()
      acted = true
      if (side === 'before') await act()
      const result = await original(...args)
      if (side === 'after') await act()
      return result
    },
  })
  return () => {
    restore()
    return acted
  }
}

describe('an act while a sign-in to the operator’s page is being redeemed', () => {
  it('leaves no session there', async () => {
    const identifier = `${issuer.url}/admin/api` as ResourceIdentifier
    const scopes = ['admin:read', 'admin:write'] as Scope[]
    const resources = issuer.settings().resources.flatMap((each, i) =>
      i > 0
        ? [each]
        : [
            each,
            {
              ...each,
              identifier,
              scopes: new Map(scopes.map((scope) => [scope, scope])),
              grants: [{ groups: ['admins'], scopes }],
            },
          ],
    )
    await issuer.reconfigure({ resources, hasAdmin: true })
    await keepAdminClient({ store: issuer.store, now: nowMs, settings: issuer.settings, masterKey: Buffer.alloc(32) })
    const admin = issuer.issuer().adminSignIn(() => identifier)
    const arrive = async (username: string) => {
      const { location, flow } = admin.begin('/admin')
      const person = new Person(issuer.url, username)
      const signIn = await person.open(location)
      const left = await only(person, () => person.signIn(signIn))
      const { url } = await only(person, () => person.open(left.url))
      return { flow, parameters: new URL(url).searchParams }
    }
    const visitor = { address: '127.0.0.1', requestId: 'r', userAgent: '' }
    const { sub, username } = await issuer.addPerson(newName(), ['admins'])
    const good = await arrive(username)
    assert.equal((await admin.redeem(good.parameters, good.flow, visitor)).kind, 'signed_in')
    const late = await arrive(username)
    const { store } = issuer
    const original = store.putAuthorization.bind(store)
    const signingOut: typeof original = async (authorization) => {
      Object.assign(store, { putAuthorization: original })
      await issuer.acts.signOutEverywhere(sub, 'test')
      await original(authorization)
    }
    Object.assign(store, { putAuthorization: signingOut })
    assert.equal((await admin.redeem(late.parameters, late.flow, visitor)).kind, 'failed')
    const left = await store.authorizations({ sub })
    assert.deepEqual(
      left.filter(({ ended }) => !ended),
      [],
    )
  })
})

describe('what one person has answered', () => {
  it('is not spent by the next: another sign-in amid an authorization is asked anew', async () => {
    const alice = await issuer.addPerson('alice', ['photos'])
    const bob = await issuer.addPerson('bob', ['photos'])
    const browser = new Person(issuer.url, 'alice')
    await browser.signIn(await browser.open('/account'))
    const { url } = authorizationAttempt(issuer.url, {
      ...options,
      scope: 'openid photos:read',
      more: { max_age: '600' },
    })
    const asked = await browser.open(url)
    const id = browser.cookies().get('audgate_session') ?? ''
    const session = await issuer.store.model('Session', id)
    const columns = { accountId: alice.sub, uid: String(session?.uid) }
    const past = { ...session, loginTs: Number(session?.loginTs) - 3600 }
    await issuer.store.putModel('Session', id, past, columns, Number(session?.exp))
    const signIn = await browser.decide(asked, 'approve')
    const form = formWith(signIn, 'password')
    const next = await browser.send(signIn, form, { username: 'bob', password: PASSWORD })
    assert.match(next.text, /Signed in as <bdi class="name">bob/)
    assert.match(next.text, /value="approve"/)
    assert.deepEqual(await issuer.store.consents({ sub: bob.sub }), [])
  })
})
