import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { after, before, describe, it } from 'node:test'
import { RevocationTable } from '../../../src/core/revocation.ts'
import { sealVerifiedToken } from '../../../src/core/token.ts'
import { askToken, claimsOf, Person, redeem, type TokenAnswer } from '../../support/issuer/browser-less-person.ts'
import { type IssuerUnderTest, PASSWORD, startIssuer } from '../../support/issuer/issuer-under-test.ts'

const redirectUri = 'http://127.0.0.1:7001/cb'
const options = { clientId: 'cli', redirectUri, scope: 'photos:read' }
let issuer: IssuerUnderTest

before(async () => {
  issuer = await startIssuer()
  await issuer.addClient({ id: 'cli', type: 'native', redirectUris: [redirectUri] })
})
after(() => issuer.close())

/** Whether the gateway would refuse the token by what is in force. */
async function isRevoked(jwt: string): Promise<boolean> {
  const table = new RevocationTable()
  table.add(await issuer.store.revocations(0, Math.floor(Date.now() / 1000)))
  const { iss, sub, aud, exp, iat, jti, gid, username, groups, client_id: clientId } = claimsOf(jwt)
  return table.isRevoked(
    sealVerifiedToken({
      issuer: String(iss),
      embedded: true,
      subject: String(sub),
      clientId: String(clientId),
      audience: [String(aud)],
      scope: new Set(),
      expiresAt: Number(exp),
      issuedAt: Number(iat),
      jti: String(jti),
      gid: String(gid),
      username: String(username),
      groups: groups as string[],
      jkt: undefined,
      claims: {},
    }),
  )
}

function refresh(token: string | undefined): Promise<TokenAnswer> {
  return askToken(issuer.url, { grant_type: 'refresh_token', refresh_token: token, client_id: 'cli' })
}

type Act = (sub: string) => Promise<unknown>

const ACTS: Readonly<Record<string, Act>> = {
  'a disabled user': (sub) => issuer.acts.disableUser(sub, 'test'),
  "a user's ended sign-ins": (sub) => issuer.acts.signOutEverywhere(sub, 'test'),
  'a revoked consent': (sub) => issuer.acts.revokeConsent(sub, 'cli', 'test'),
  'a lost group': (sub) => issuer.acts.changeGroups(sub, [], 'test'),
  'a revoked client': async () => {
    await issuer.acts.revokeClient('cli', 'test')
    await issuer.acts.restoreClient('cli', 'test')
  },
}

/** Moments of a token request: a call of the store, and on which side of it the act comes. */
const MOMENTS = [
  ['client', 'after'],
  ['userBySub', 'after'],
  ['renewAuthorization', 'before'],
  ['renewAuthorization', 'after'],
  ['putModel', 'before'],
  ['putModel', 'after'],
] as const

/** Runs what it is given as if no request were under way: an act comes from elsewhere, and is no part of the request. */
const elsewhere = AsyncLocalStorage.snapshot()

/**
 * Lets `act` come at that moment of the next request, once. The request goes on meanwhile: where it holds what the act is
 * about, the act waits for it.
 */
function interrupt(method: (typeof MOMENTS)[number][0], side: 'before' | 'after', act: () => void): void {
  const { store } = issuer
  const original = store[method].bind(store) as (...args: never[]) => Promise<unknown>
  Object.assign(store, {
    [method]: async (...args: never[]) => {
      Object.assign(store, { [method]: original })
      if (side === 'before') elsewhere(act)
      const result = await original(...args)
      if (side === 'after') elsewhere(act)
      return result
    },
  })
}

describe('an act of revocation while a token is being made leaves no token alive', () => {
  for (const [what, act] of Object.entries(ACTS)) {
    for (const [method, side] of MOMENTS) {
      it(`${what}, ${side} ${method}`, async () => {
        const username = `${what}-${method}-${side}`.replace(/\W/g, '-')
        const user = await issuer.addPerson(username, ['photos'])
        const person = new Person(issuer.url, username)
        const answer = await person.authorize(options)
        const { body } = await redeem(issuer.url, await person.authorize(options), options)
        for (const ask of [() => redeem(issuer.url, answer, options), () => refresh(body.refresh_token)]) {
          await issuer.acts.changeGroups(user.sub, ['photos'], 'test')
          await issuer.acts.enableUser(user.sub, 'test')
          let acted: Promise<unknown> | undefined
          interrupt(method, side, () => {
            acted = act(user.sub)
          })
          const { access_token: token, refresh_token: next } = (await ask()).body
          if (acted === undefined) continue
          await acted
          if (token !== undefined) assert.equal(await isRevoked(token), true, 'the token')
          const renewed = (await refresh(next)).body.access_token
          assert.ok(renewed === undefined || (await isRevoked(renewed)), 'what the refresh token gives')
          if (what === 'a lost group') continue
          const listed = await issuer.store.authorizations({ sub: user.sub })
          assert.deepEqual(
            listed.filter(({ ended }) => !ended),
            [],
            'what the person sees as connected',
          )
        }
      })
    }
  }
})

describe('what the issuer tells', () => {
  it('is a line for every sign-in, consent, grant, refusal and revocation, and never a secret', async () => {
    await issuer.addPerson('tess', ['photos'])
    const print = { id: 'print', type: 'native', redirectUris: [redirectUri], thirdParty: true } as const
    await issuer.addClient(print)
    issuer.events.length = 0
    const asked = { ...options, clientId: 'print' }
    const tess = new Person(issuer.url, 'tess')
    const wrong = new Person(issuer.url, 'tess', 'not the password')
    await wrong.authorize(asked)
    const answer = await tess.authorize(asked)
    const { body } = await redeem(issuer.url, answer, asked)
    await redeem(issuer.url, { code: 'made-up-code', verifier: answer.verifier }, asked)
    await redeem(issuer.url, answer, asked)
    const told = issuer.events.map(({ event }) => event)
    for (const event of [
      'login.failure',
      'login.success',
      'consent.granted',
      'authorization.granted',
      'token.issued',
      'token.refused',
      'code.reuse',
      'authorization.ended',
    ]) {
      assert.ok(told.includes(event), `${event} in ${told.join(' ')}`)
    }
    const kept = await issuer.store.audits(200)
    assert.ok(kept.some(({ event }) => event === 'token.issued'))
    const text = JSON.stringify([issuer.events, kept])
    const secrets = [PASSWORD, 'not the password', answer.code, answer.verifier, body.access_token, body.refresh_token]
    for (const secret of [...secrets, ...tess.cookies().values()]) {
      assert.equal(text.includes(String(secret)), false, String(secret))
    }
  })
})
