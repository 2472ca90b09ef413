import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { claimsOf, type Page, Person, post, redeem } from '../../../support/issuer/browser-less-person.ts'
import {
  authorizeBy,
  pressProvider,
  providerEntries,
  providerEntry,
  providerLinksOf,
  throughProvider,
  traveller,
} from '../../../support/issuer/federated-issuer.ts'
import { startProvider, type TestProvider } from '../../../support/issuer/identity-provider.ts'
import { type IssuerUnderTest, startIssuer } from '../../../support/issuer/issuer-under-test.ts'

const APP = { clientId: 'cli', redirectUri: 'http://127.0.0.1:7001/cb' }

let gate: IssuerUnderTest
let provider: TestProvider
let count = 0
let sub = ''

before(async () => {
  gate = await startIssuer()
  provider = await startProvider({ kind: 'authentik', callback: `${gate.url}/oauth/providers/authentik/callback` })
  await gate.addClient({ id: 'cli', type: 'native', redirectUris: [APP.redirectUri] })
})
after(async () => {
  await gate.close()
  await provider.close()
})
beforeEach(async () => {
  count += 1
  sub = `guest-${count}`
  provider.setAccount({ sub, username: sub, groups: ['photos'] })
  provider.person = sub
  Object.assign(provider.defects, { token: undefined, metadata: undefined, instead: undefined, callback: undefined })
  await useProvider()
})

/** Another entry each time, so that nothing of the provider is remembered. */
async function useProvider(more = ''): Promise<void> {
  const name = `name: "Home ${count} ${Math.random()}"`
  await gate.reconfigure({
    password: 'on',
    providers: [providerEntry(provider, [name, more].filter((each) => each !== '').join(', '))],
  })
}

function asked(more: Record<string, string> = {}) {
  return { ...APP, scope: 'photos:read', resource: gate.photos, more }
}

function reasonOf(page: Pick<Page, 'text'>): string {
  return (
    /\((\w+)\)|<code>(\w+)<\/code>/
      .exec(page.text)
      ?.slice(1)
      .find((each) => each !== undefined) ?? page.text
  )
}

/** The URL at the provider that a button leads to, and the browser. */
async function departure(who = traveller(gate.url, provider)) {
  const start = await who.here.open(`/oauth/providers/authentik/start`)
  return { who, url: new URL(start.url) }
}

async function linked(): Promise<boolean> {
  return (await gate.store.providerLink(provider.issuer, sub)) !== undefined
}

describe('set-up', () => {
  it('3 Metadata whose `issuer` differs by a slash only is refused, and both strings are shown', async () => {
    provider.defects.metadata = (body) => ({ ...body, issuer: provider.issuer.replace(/\/$/, '') })
    await useProvider()
    const page = await traveller(gate.url, provider).here.open('/oauth/providers/authentik/start')
    assert.equal(reasonOf(page), 'provider_misconfigured')
    const told = gate.events.filter(({ event }) => event === 'federation.refused').at(-1)
    const detail = String(told?.detail.detail)
    assert.ok(detail.includes(provider.issuer) && detail.includes(`${provider.issuer.replace(/\/$/, '')}:`), detail)
  })

  it('4 A P that lists only `HS256` is refused before anybody is sent there, naming authentik’s "Signing Key"; an encrypted ID token names "Encryption Key"', async () => {
    provider.defects.metadata = (body) => ({ ...body, id_token_signing_alg_values_supported: ['HS256'] })
    await useProvider()
    const before = provider.calls('/auth')
    const page = await traveller(gate.url, provider).here.open('/oauth/providers/authentik/start')
    assert.equal(reasonOf(page), 'provider_misconfigured')
    assert.equal(provider.calls('/auth'), before)
    const detail = () => String(gate.events.filter(({ event }) => event === 'federation.refused').at(-1)?.detail.detail)
    assert.match(detail(), /alg_hs256.*"Signing Key"/)
    provider.defects.metadata = undefined
    provider.defects.token = (body) => ({ ...body, id_token: 'e30.a.b.c.d' })
    await useProvider()
    const answer = await authorizeBy(traveller(gate.url, provider), asked())
    assert.equal(reasonOf(answer), 'provider_misconfigured')
    assert.match(detail(), /token_encrypted.*"Encryption Key"/)
  })

  it('5 An ID token with a wrong signature is refused in the code grant', async () => {
    provider.defects.token = (body) => ({ ...body, id_token: `${String(body.id_token).slice(0, -8)}AAAAAAAA` })
    assert.equal(reasonOf(await authorizeBy(traveller(gate.url, provider), asked())), 'id_token_invalid')
    assert.equal(await linked(), false)
  })

  it('6 `invalid_client` with Basic is tried once by post, and the working way is remembered', async () => {
    const post = await startProvider({
      kind: 'pocket-id',
      change: { clientAuth: 'client_secret_post' },
      callback: `${gate.url}/oauth/providers/pocket-id/callback`,
    })
    try {
      post.setAccount({ sub, username: sub, groups: ['photos'] })
      post.person = sub
      post.defects.metadata = (body) => ({ ...body, token_endpoint_auth_methods_supported: undefined })
      await gate.reconfigure({ providers: [providerEntry(post, 'preset: pocket-id')] })
      assert.notEqual((await authorizeBy(traveller(gate.url, post), asked())).code, '')
      assert.equal(post.calls('/token'), 2)
      assert.notEqual((await authorizeBy(traveller(gate.url, post), asked())).code, '')
      assert.equal(post.calls('/token'), 3)
    } finally {
      await post.close()
    }
  })

  it('7 `invalid_scope` leads to one further try with `openid` and those of `profile email` that P lists', async () => {
    const strict = await startProvider({ kind: 'kanidm', callback: `${gate.url}/oauth/providers/kanidm/callback` })
    try {
      strict.setAccount({ sub, username: sub, groups: ['photos'] })
      strict.person = sub
      strict.defects.instead = (path, response, request) => {
        const query = new URL(request.url ?? '', strict.issuer).searchParams
        if (path !== '/auth' || !String(query.get('scope')).includes('groups_name')) return false
        const back = new URL(String(query.get('redirect_uri')))
        back.search = String(
          new URLSearchParams({ error: 'invalid_scope', state: String(query.get('state')), iss: strict.issuer }),
        )
        response.writeHead(303, { location: back.href }).end()
        return true
      }
      await gate.reconfigure({ providers: [providerEntry(strict)] })
      const who = traveller(gate.url, strict)
      const page = await pressProvider(who, await who.here.open('/account'))
      assert.equal(new URL(page.url).searchParams.get('scope'), 'openid profile email')
      await throughProvider(who, page)
      assert.notEqual(await gate.store.providerLink(strict.issuer, sub), undefined)
    } finally {
      await strict.close()
    }
  })

  it('7 `invalid_scope` for the further try, too, is the end; of `profile email` those are asked for that P lists', async () => {
    const asked: string[] = []
    provider.defects.metadata = (body) => ({ ...body, scopes_supported: ['openid', 'email', 'offline_access'] })
    provider.defects.instead = (path, response, request) => {
      const query = new URL(request.url ?? '', provider.issuer).searchParams
      if (path !== '/auth') return false
      asked.push(String(query.get('scope')))
      const back = new URL(String(query.get('redirect_uri')))
      back.search = String(
        new URLSearchParams({ error: 'invalid_scope', state: String(query.get('state')), iss: provider.issuer }),
      )
      response.writeHead(303, { location: back.href }).end()
      return true
    }
    await useProvider()
    const who = traveller(gate.url, provider)
    const again = await pressProvider(who, await who.here.open('/account'))
    assert.equal(reasonOf(await throughProvider(who, again)), 'provider_misconfigured')
    assert.deepEqual(asked, ['openid profile email offline_access', 'openid email'])
    const told = gate.events.filter(({ event }) => event === 'federation.refused').at(-1)
    assert.match(String(told?.detail.detail), /invalid_scope/)
  })

  it('9 A provider that is down leaves everything else as it is', async () => {
    const down = { issuer: 'http://127.0.0.1:1/realms/down', clientId: 'gate', clientSecret: 'x' }
    const both = providerEntries([
      [down, 'groups: { take: all }'],
      [provider, 'groups: { take: all }'],
    ])
    await gate.reconfigure({ providers: both })
    await gate.restart()
    await gate.addPerson(`own-${count}`, ['photos'])
    const answer = await new Person(gate.url, `own-${count}`).authorize(asked())
    assert.notEqual(answer.code, '')
    assert.equal(
      reasonOf(await new Person(gate.url, '').open('/oauth/providers/keycloak/start')),
      'provider_unreachable',
    )
    const who = traveller(gate.url, provider)
    assert.match((await pressProvider(who, await who.here.open('/account'), /authentik/)).text, /Who you are/)
  })

  it('10 An answer over 1 MiB, or a redirect, is silence', async () => {
    for (const answer of ['large', 'redirect'] as const) {
      provider.defects.instead = (path, response) => {
        if (path !== '/.well-known/openid-configuration') return false
        if (answer === 'redirect') response.writeHead(302, { location: `${provider.issuer}other` }).end()
        else response.end(JSON.stringify({ issuer: provider.issuer, filler: 'x'.repeat(1024 * 1024) }))
        return true
      }
      await useProvider()
      assert.equal(
        reasonOf(await new Person(gate.url, '').open('/oauth/providers/authentik/start')),
        'provider_unreachable',
      )
    }
  })

  it('10 An answer slower than 5 s is silence', { timeout: 20_000 }, async () => {
    provider.defects.instead = (path) => path === '/.well-known/openid-configuration'
    await useProvider()
    const began = performance.now()
    assert.equal(
      reasonOf(await new Person(gate.url, '').open('/oauth/providers/authentik/start')),
      'provider_unreachable',
    )
    assert.ok(performance.now() - began > 4_000)
  })
})

describe('sign-in', () => {
  it('11 A callback without our cookie, with another browser’s state, twice, at another provider’s path, or with another `iss`: `state_mismatch`, no account, no session', async () => {
    const { who, url } = await departure()
    const back = await who.there.open(url.href)
    const stranger = new Person(gate.url, '')
    assert.equal(reasonOf(await stranger.open(back.url)), 'state_mismatch')
    await departure({ here: stranger, there: stranger })
    assert.equal(reasonOf(await stranger.open(back.url)), 'state_mismatch')
    const other = new URL(back.url)
    other.searchParams.set('iss', 'https://other.example.com')
    assert.equal(reasonOf(await who.here.open(other.href)), 'state_mismatch')
    const twin = await startProvider({ kind: 'keycloak', callback: `${gate.url}/oauth/providers/keycloak/callback` })
    await gate.reconfigure({ providers: [...gate.settings().providers, providerEntry(twin)] })
    assert.equal(reasonOf(await who.here.open(back.url.replace('/authentik/', '/keycloak/'))), 'state_mismatch')
    await twin.close()
    assert.equal(await linked(), false)
    for (const { here } of [{ here: stranger }, who]) {
      assert.doesNotMatch((await here.open('/account')).text, /Who you are/)
    }
    // Nothing of it was spent.
    assert.match((await who.here.open(back.url)).text, /Who you are/)
    assert.equal(reasonOf(await who.here.open(back.url)), 'state_mismatch')
  })

  it('11 A response without `iss` where P’s metadata promises it: `state_mismatch`', async () => {
    const { who, url } = await departure()
    const back = new URL((await who.there.open(url.href)).url)
    const whole = back.href
    back.searchParams.delete('iss')
    assert.equal(reasonOf(await who.here.open(back.href)), 'state_mismatch')
    assert.equal(await linked(), false)
    assert.match((await who.here.open(whole)).text, /Who you are/)
  })

  it('nothing is IdP-initiated: a response that nobody asked for is `state_mismatch`, and `start` begins a sign-in to /account', async () => {
    const callback = `/oauth/providers/authentik/callback?${new URLSearchParams({ code: 'x', iss: provider.issuer })}`
    for (const url of [callback, `${callback}&state=`, `${callback}&state=${'a'.repeat(43)}`]) {
      assert.equal(reasonOf(await new Person(gate.url, '').open(url)), 'state_mismatch')
    }
    const { who, url } = await departure()
    const done = await who.here.open((await who.there.open(url.href)).url)
    assert.equal(new URL(done.url).pathname, '/account')
  })

  const bad: readonly (readonly [string, (claims: Record<string, unknown>, now: number) => Record<string, unknown>])[] =
    [
      ['a wrong nonce', (claims) => ({ ...claims, nonce: 'x' })],
      ['no nonce', ({ nonce: _, ...claims }) => claims],
      ['a foreign aud', (claims) => ({ ...claims, aud: 'other' })],
      ['several aud without our azp', (claims) => ({ ...claims, aud: ['gate', 'other'] })],
      ['several aud with another’s azp', (claims) => ({ ...claims, aud: ['gate', 'other'], azp: 'other' })],
      ['exp 31 s ago', (claims, now) => ({ ...claims, exp: now - 31 })],
      ['iat 31 s ahead', (claims, now) => ({ ...claims, iat: now + 33 })],
      ['another iss', (claims) => ({ ...claims, iss: 'https://other.example.com' })],
      ['no sub', ({ sub: _, ...claims }) => claims],
      ['a sub with U+0000', (claims) => ({ ...claims, sub: 'a\0b' })],
    ]
  for (const [what, change] of bad) {
    it(`12 An ID token with ${what} is refused`, async () => {
      provider.defects.token = async (body) => {
        const claims = change({ ...claimsOf(String(body.id_token)) }, Math.floor(Date.now() / 1000))
        return { ...body, id_token: await provider.sign(claims) }
      }
      assert.equal(reasonOf(await authorizeBy(traveller(gate.url, provider), asked())), 'id_token_invalid')
      assert.equal(await linked(), false)
    })
  }

  const within: readonly (readonly [string, (claims: Record<string, unknown>, now: number) => object])[] = [
    ['several aud with our azp', (claims) => ({ ...claims, aud: ['other', 'gate'], azp: 'gate' })],
    ['exp 25 s ago', (claims, now) => ({ ...claims, exp: now - 25 })],
    ['iat 25 s ahead', (claims, now) => ({ ...claims, iat: now + 25 })],
  ]
  for (const [what, change] of within) {
    it(`12 An ID token with ${what} is taken`, async () => {
      provider.defects.token = async (body) => {
        const claims = change({ ...claimsOf(String(body.id_token)) }, Math.floor(Date.now() / 1000))
        return { ...body, id_token: await provider.sign({ ...claims }) }
      }
      assert.notEqual((await authorizeBy(traveller(gate.url, provider), asked())).code, '')
    })
  }

  it('12 `alg: none` and a token of HMAC with the client secret are refused', async () => {
    const { SignJWT, UnsecuredJWT } = await import('jose')
    for (const make of [
      async (claims: Record<string, unknown>) => new UnsecuredJWT(claims).encode(),
      async (claims: Record<string, unknown>) =>
        new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from(provider.clientSecret)),
    ]) {
      provider.defects.token = async (body) => ({
        ...body,
        id_token: await make({ ...claimsOf(String(body.id_token)) }),
      })
      assert.match(
        reasonOf(await authorizeBy(traveller(gate.url, provider), asked())),
        /id_token_invalid|provider_misconfigured/,
      )
    }
    assert.equal(await linked(), false)
  })

  it('13 With one provider and no password nobody has to press; after signing out the page is shown', async () => {
    await gate.reconfigure({ password: 'off' })
    const who = traveller(gate.url, provider)
    const straight = await who.here.open('/account')
    assert.equal(new URL(straight.url).origin, new URL(provider.issuer).origin)
    const account = await throughProvider(who, straight)
    assert.match(account.text, /Who you are/)
    const { formsOf } = await import('../../../support/issuer/browser-less-person.ts')
    const out = formsOf(account).find(({ action }) => action === '/account/sign-out')
    assert.ok(out !== undefined)
    await who.here.send(account, out)
    const again = await who.here.open('/account')
    assert.match(again.text, /Sign in with/)
    assert.doesNotMatch(again.text, /name="password"/)
    await gate.reconfigure({ password: 'on' })
  })

  it('13 `prompt=none` without a session answers `login_required` and calls nothing', async () => {
    const before = provider.requests.length
    const { authorizationAttempt } = await import('../../../support/issuer/browser-less-person.ts')
    const page = await new Person(gate.url, '').open(authorizationAttempt(gate.url, asked({ prompt: 'none' })).url)
    assert.equal(new URL(page.url).searchParams.get('error'), 'login_required')
    assert.equal(provider.requests.length, before)
  })

  it('14 `max_age=60` passes only with P’s `auth_time` young enough, with and without `openid`', async () => {
    const now = Math.floor(Date.now() / 1000)
    for (const [at, good, scope] of [
      [now - 10, true, 'openid photos:read'],
      [now - 70, false, 'openid photos:read'],
      [undefined, false, 'openid photos:read'],
      [now - 10, true, 'photos:read'],
      [now - 70, false, 'photos:read'],
    ] as const) {
      provider.requests.splice(0)
      provider.defects.token = async (body) => {
        const { auth_time: _, ...claims } = claimsOf(String(body.id_token))
        return { ...body, id_token: await provider.sign({ ...claims, auth_time: at }) }
      }
      const answer = await authorizeBy(traveller(gate.url, provider), {
        ...asked({ max_age: '60' }),
        scope,
      })
      const { searchParams } = new URL(answer.url)
      assert.equal(searchParams.get('error'), good ? null : 'login_required', `${at} ${scope}`)
      assert.ok(provider.requests.some(({ query }) => query.get('max_age') === '60'))
      if (!good) continue
      const claims = claimsOf((await redeem(gate.url, answer, APP)).body.access_token)
      assert.equal(claims.auth_time, at)
    }
  })

  it('`max_age=0` is `prompt=login`; what a refusal asks for is asked of P, and P’s answer taken', async () => {
    const now = Math.floor(Date.now() / 1000)
    const anew = async (
      at: number | undefined,
      who: ReturnType<typeof traveller>,
      more: Record<string, string> = {},
    ) => {
      provider.requests.splice(0)
      provider.defects.token = async (body) => {
        const { auth_time: _, ...claims } = claimsOf(String(body.id_token))
        return { ...body, id_token: await provider.sign({ ...claims, auth_time: at }) }
      }
      const { searchParams } = new URL((await authorizeBy(who, asked(more))).url)
      const sent = provider.requests.find(({ query }) => query.has('redirect_uri'))?.query
      return [searchParams.get('error'), sent?.get('prompt') ?? null, sent?.get('max_age') ?? null]
    }
    assert.deepEqual(await anew(now - 120, traveller(gate.url, provider), { max_age: '0' }), [
      'login_required',
      'login',
      null,
    ])
    assert.deepEqual(await anew(now + 1, traveller(gate.url, provider), { max_age: '0' }), [null, 'login', null])
    const who = traveller(gate.url, provider)
    assert.deepEqual(await anew(now - 120, who), [null, null, null])
    const link = await gate.store.providerLink(provider.issuer, sub)
    gate.issuer().noteWeakSignIn({ sub: link?.sub ?? '', clientId: 'cli', need: { maxAge: 60 } })
    assert.deepEqual(await anew(undefined, who), [null, null, '60'])
  })

  it('14 `prompt=login` is passed on, and believed only by an `auth_time` after the attempt’s start', async () => {
    const now = Math.floor(Date.now() / 1000)
    for (const [at, error] of [
      [now + 1, null],
      [now - 120, 'login_required'],
    ] as const) {
      provider.defects.token = async (body) => ({
        ...body,
        id_token: await provider.sign({ ...claimsOf(String(body.id_token)), auth_time: at }),
      })
      const answer = await authorizeBy(traveller(gate.url, provider), asked({ prompt: 'login' }))
      assert.equal(new URL(answer.url).searchParams.get('error'), error)
    }
    assert.ok(provider.requests.some(({ query }) => query.get('prompt') === 'login'))
  })

  it('`provider=ID` chooses, and `login_hint` is passed on', async () => {
    const { authorizationAttempt } = await import('../../../support/issuer/browser-less-person.ts')
    const page = await new Person(gate.url, '').open(
      authorizationAttempt(gate.url, asked({ provider: 'authentik', login_hint: 'alice' })).url,
    )
    const url = new URL(page.url)
    assert.equal(url.origin, new URL(provider.issuer).origin)
    assert.equal(url.searchParams.get('login_hint'), 'alice')
    assert.equal(url.searchParams.get('code_challenge_method'), 'S256')
    assert.equal(url.searchParams.get('response_mode'), 'query')
  })

  it('16 A device can be connected by a button', async () => {
    const device = await post(`${gate.url}/oauth/device_authorization`, {
      client_id: 'cli',
      scope: 'photos:read',
      resource: gate.photos,
    })
    const who = traveller(gate.url, provider)
    const { formWith } = await import('../../../support/issuer/browser-less-person.ts')
    const form = await who.here.open('/oauth/device')
    const signIn = await who.here.send(form, formWith(form, 'user_code'), { user_code: String(device.body.user_code) })
    const approval = await pressProvider(who, signIn)
    const done = await who.here.decide(approval, 'approve')
    assert.match(done.text, /connected|You can go back/i)
    const tokens = await post(`${gate.url}/oauth/token`, {
      grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
      device_code: String(device.body.device_code),
      client_id: 'cli',
    })
    assert.equal(tokens.body.scope, 'photos:read', JSON.stringify(tokens.body))
  })

  it('17 P’s `access_denied` returns to the sign-in page; its description is in the log only', async () => {
    provider.person = undefined
    const page = await authorizeBy(traveller(gate.url, provider), asked())
    assert.equal(reasonOf(page), 'denied_by_provider')
    assert.match(page.text, /name="password"/)
    assert.doesNotMatch(page.text, /secret words/)
    const told = gate.events.filter(({ event }) => event === 'federation.refused').at(-1)
    assert.match(String(told?.detail.detail), /secret words/)
    assert.doesNotMatch(String(told?.detail.detail), /@/)
  })

  it('18 Outside `allow`: `not_allowed`, no account', async () => {
    await useProvider('allow: { groups: [family] }')
    assert.equal(reasonOf(await authorizeBy(traveller(gate.url, provider), asked())), 'not_allowed')
    assert.equal(await linked(), false)
    await useProvider('allow: { email_domains: [home.example] }')
    provider.setAccount({ ...provider.account(sub), email: 'a@home.example', emailVerified: false })
    assert.equal(reasonOf(await authorizeBy(traveller(gate.url, provider), asked())), 'not_allowed')
    for (const [allow, claim] of [
      ['hosted_domains: [home.example]', 'hd'],
      ['tenants: [home.example]', 'tid'],
    ] as const) {
      await useProvider(`allow: { ${allow} }`)
      for (const claims of [{}, { [claim]: 'other.example' }, { [claim]: ['home.example', 'other.example'] }]) {
        provider.setAccount({ ...provider.account(sub), claims })
        assert.equal(reasonOf(await authorizeBy(traveller(gate.url, provider), asked())), 'not_allowed')
      }
      assert.equal(await linked(), false)
    }
    provider.setAccount({ ...provider.account(sub), claims: { tid: 'home.example' } })
    assert.notEqual((await authorizeBy(traveller(gate.url, provider), asked())).code, '')
    await useProvider('allow: { email_domains: [home.example] }')
    provider.setAccount({ ...provider.account(sub), email: 'a@home.example', emailVerified: true })
    assert.notEqual((await authorizeBy(traveller(gate.url, provider), asked())).code, '')
  })

  it('31 Entra’s overage refuses the sign-in, and more than 1,000 names do', async () => {
    provider.setAccount({ sub, username: sub, groups: Array.from({ length: 1_001 }, (_, n) => `g${n}`) })
    assert.equal(reasonOf(await authorizeBy(traveller(gate.url, provider), asked())), 'groups_overage')
    assert.equal(await linked(), false)
  })

  it('buttons stand above the form, and the last used comes first', async () => {
    const second = await startProvider({ kind: 'keycloak', callback: `${gate.url}/oauth/providers/keycloak/callback` })
    try {
      second.setAccount({ sub, username: `${sub}-k` })
      second.person = sub
      const both = [...gate.settings().providers, providerEntry(second, 'name: Work')]
      await gate.reconfigure({ providers: both })
      const who = traveller(gate.url, second)
      const page = await who.here.open('/account')
      assert.ok(page.text.indexOf('Sign in with') < page.text.indexOf('name="password"'))
      const account = await pressProvider(who, page, /Work/)
      const { formsOf } = await import('../../../support/issuer/browser-less-person.ts')
      const out = formsOf(account).find(({ action }) => action === '/account/sign-out')
      assert.ok(out !== undefined)
      await who.here.send(account, out)
      const [first] = providerLinksOf(await who.here.open('/account'))
      assert.match(first?.text ?? '', /Work/)
    } finally {
      await second.close()
    }
  })
})
