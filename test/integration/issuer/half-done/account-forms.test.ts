import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Secret, TOTP } from 'otpauth'
import { createPasswords } from '../../../../src/issuer/people/passwords.ts'
import { type Page, Person } from '../../../support/issuer/browser-less-person.ts'
import { type IssuerUnderTest, PASSWORD, startIssuer } from '../../../support/issuer/issuer-under-test.ts'
import { answer, press } from '../../../support/issuer/passkey-person.ts'
import { SoftwarePasskey } from '../../../support/issuer/software-passkey.ts'

const passwords = createPasswords()
let issuer: IssuerUnderTest
let aheadMs = 0
const nowMs = (): number => Date.now() + aheadMs

before(async () => {
  issuer = await startIssuer({ host: 'localhost', now: nowMs, settings: { secondFactor: ['guarded'] } })
  await issuer.reconfigure({ appPasswordPlaces: new Map([[issuer.photos, issuer.url]]) })
})
after(() => issuer.close())

interface Somebody {
  readonly person: Person
  readonly sub: string
  readonly passkey: SoftwarePasskey
}

/** Somebody with a passkey, who signed in by it in the browser that is answered. */
async function somebody(): Promise<Somebody & { readonly page: Page }> {
  count += 1
  const { sub, username } = await issuer.addPerson(`person-${count}`, ['photos'])
  const first = new Person(issuer.url, username)
  const passkey = new SoftwarePasskey(issuer.url)
  const account = await first.signIn(await first.open('/account'))
  await answer(first, await press(first, account, 'passkey-add'), passkey, {}, { name: 'key' })
  const person = new Person(issuer.url, username)
  const page = await answer(person, await person.open('/account'), passkey)
  assert.match(page.text, /<h1>Your account<\/h1>/)
  return { person, sub, passkey, page }
}
let count = 0

/** A code is good once: the next is of a later moment. */
function nextCode(page: Page): string {
  aheadMs += 60_000
  const secret = (/class="secret">([A-Z2-7 ]+)</.exec(page.text)?.[1] ?? '').replaceAll(' ', '')
  return new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: nowMs() })
}

/** A form that is open. */
interface OpenForm {
  /** Whose, in which browser. */
  readonly sub: string
  readonly person: Person
  readonly send: () => Promise<unknown>
  /** Whether what the form is for has come about. */
  readonly gave: () => Promise<boolean>
}

type Stage = (who: Somebody & { readonly page: Page }) => Promise<OpenForm>

const STAGES: Readonly<Record<string, Stage>> = {
  'a further passkey that is being made': async ({ person, page, sub }) => {
    const adding = await press(person, page, 'passkey-add')
    return {
      sub,
      person,
      send: () => answer(person, adding, new SoftwarePasskey(issuer.url), {}, { name: 'second' }),
      gave: async () => (await issuer.store.passkeys(sub)).length > 1,
    }
  },
  'an app whose first code is asked for': async ({ person, page, sub }) => {
    const adding = await press(person, page, 'authenticator-add')
    return {
      sub,
      person,
      send: () => press(person, adding, 'authenticator-confirm', { code: nextCode(adding) }),
      gave: async () => (await issuer.store.authenticator(sub)) !== undefined,
    }
  },
  'an app password that is being made': async ({ person, page, sub }) => ({
    sub,
    person,
    send: () => press(person, page, 'app-password', { name: 'drive', resource: issuer.photos, scope: 'photos:read' }),
    gave: async () => (await issuer.store.appPasswords({ sub })).length > 0,
  }),
  'recovery codes that are being made': async ({ person, page, sub }) => {
    const codes = async () => JSON.stringify(await made(sub))
    const before = await codes()
    return {
      sub,
      person,
      send: () => press(person, page, 'recovery-codes'),
      gave: async () => (await codes()) !== before,
    }
  },
  'a new password that is being chosen': async ({ person, page, sub }) => {
    const next = 'a wholly other phrase of mine'
    const fields = { current_password: PASSWORD, new_password: next, repeat_password: next }
    const signsIn = () => verifies(sub, next)
    return { sub, person, send: () => press(person, page, 'password', fields), gave: signsIn }
  },
  'a factor whose removal is being confirmed': async ({ person, page, sub }) => {
    const question = await press(person, page, 'factor-remove')
    const fields = { current_password: PASSWORD }
    return {
      sub,
      person,
      send: () => press(person, question, 'factor-remove', fields, 'decision=approve'),
      gave: async () => (await issuer.store.passkeys(sub)).length === 0,
    }
  },
  'the rest of a sign-in that has to add a factor': async () => {
    count += 1
    const { username, sub } = await issuer.addPerson(`guarded-${count}`, ['guarded'])
    const person = new Person(issuer.url, username)
    const offered = await person.signIn(await person.open('/account'))
    return {
      sub,
      person,
      send: () => answer(person, offered, new SoftwarePasskey(issuer.url)),
      gave: async () => (await issuer.store.passkeys(sub)).length > 0,
    }
  },
}

const made = async (sub: string) =>
  issuer.events.filter(({ event, detail }) => event === 'recovery_codes.made' && detail.sub === sub)
const verifies = async (sub: string, password: string): Promise<boolean> =>
  (await passwords.verify((await issuer.store.userBySub(sub))?.passwordHash, password)) === 'right'

const acts = () => issuer.acts
const ACTS: Readonly<Record<string, (sub: string) => Promise<unknown>>> = {
  'a changed password': (sub) => acts().changePassword(sub, 'other', {}, 'test'),
  'all that a person has revoked': (sub) => acts().revokeUser(sub, 'test'),
  'signing out everywhere': (sub) => acts().signOutEverywhere(sub, 'test'),
  'an account disabled and enabled': async (sub) => {
    await acts().disableUser(sub, 'test')
    await acts().enableUser(sub, 'test')
  },
  'a one-time link that was used': (sub) => acts().setUpByLink(sub, { passwordHash: 'other' }, {}),
}

describe('a form of the account page that is open', () => {
  for (const [what, stage] of Object.entries(STAGES)) {
    it(`does what it is for where nothing comes between: ${what}`, async () => {
      const { send, gave } = await stage(await somebody())
      assert.equal(await gave(), false)
      await send()
      assert.equal(await gave(), true)
    })
    for (const [name, act] of Object.entries(ACTS)) {
      it(`does nothing after ${name}: ${what}`, async () => {
        const { sub, send, gave } = await stage(await somebody())
        await act(sub)
        await send()
        assert.equal(await gave(), false)
      })
    }
  }
})

const NOT_STORED: ReadonlySet<string> = new Set(['subscribe', 'close', 'position', 'whenKept'])

/** Lets `act` come before the nth call of the store; answers whether it has, once it is done. */
function interrupt(nth: number, act: () => Promise<unknown>): () => Promise<boolean> {
  const { store } = issuer
  const originals = new Map<string, (...args: never[]) => unknown>()
  const state: { calls: number; inUnit: number; acted?: Promise<unknown> } = { calls: 0, inUnit: 0 }
  const restore = (): void => void Object.assign(store, Object.fromEntries(originals))
  for (const [name, value] of Object.entries(store)) {
    if (typeof value !== 'function' || NOT_STORED.has(name)) continue
    originals.set(name, value)
    Object.assign(store, {
      [name]: async (...args: never[]) => {
        if (state.inUnit === 0 && state.acted === undefined) {
          state.calls += 1
          if (state.calls > nth) {
            restore()
            state.acted = act()
            await state.acted
          }
        }
        if (name !== 'unit') return value(...args)
        state.inUnit += 1
        try {
          return await value(...args)
        } finally {
          state.inUnit -= 1
        }
      },
    })
  }
  return async () => {
    restore()
    // What it came before may be work that the request does not wait for.
    await state.acted
    return state.acted !== undefined
  }
}

describe('an act while a form of the account page is being carried out', () => {
  for (const [what, stage] of Object.entries(STAGES)) {
    it(`comes wholly before it or after it: ${what}`, async () => {
      // Passwords take their time.
      for (let nth = 0; ; nth += what.startsWith('a new password') ? 3 : 1) {
        const { sub, person, send, gave } = await stage(await somebody())
        // What the page that follows asks of the store changes nothing.
        person.follows = false
        let before = false
        const acted = interrupt(nth, async () => {
          await issuer.acts.signOutEverywhere(sub, 'test')
          before = await gave()
        })
        await send()
        if (!(await acted())) break
        assert.ok(before || !(await gave()), `before call ${nth} of the store`)
      }
    })
  }
})
