import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { askToken, claimsOf, redeem } from '../../../support/issuer/browser-less-person.ts'
import { authorizeBy, traveller } from '../../../support/issuer/federated-issuer.ts'
import { startProvider, type TestProvider } from '../../../support/issuer/identity-provider.ts'
import { type BlackBox, CALLBACK, startBlackBox, within } from '../../../support/issuer/served-issuer.ts'

const APP = { clientId: 'cli', redirectUri: CALLBACK }
const SECRETS = { current: '' }

let box: BlackBox
let provider: TestProvider

before(async () => {
  provider = await startProvider({ kind: 'authentik', callback: '*' })
  SECRETS.current = provider.clientSecret
  box = await startBlackBox({
    issuer: providerLines(provider),
    env: { SSO_SECRET: provider.clientSecret },
  })
  provider.setAccount({
    sub: 'alice-there',
    username: 'alice',
    email: 'alice@home.example',
    emailVerified: true,
    groups: ['photos'],
  })
  provider.person = 'alice-there'
  await box.addApp('cli')
})
after(async () => {
  await box.close()
  await provider.close()
})

function providerLines({ issuer, clientId }: TestProvider): string {
  return `  providers: [{ issuer: "${issuer}", client_id: ${clientId}, client_secret: "\${SSO_SECRET}" }]`
}

const env = () => ({ SSO_SECRET: SECRETS.current })

async function signIn() {
  const who = traveller(box.url, provider)
  const answer = await authorizeBy(who, { ...APP, scope: 'photos:read', resource: box.photos })
  assert.notEqual(answer.code, '', answer.text)
  return { who, answer: await redeem(box.url, answer, APP) }
}

/** How often a refresh token was given up at the provider. */
const revocations = () => provider.requests.filter(({ path }) => path.endsWith('/revocation')).length

/** What people and the provider are answered with when each step is refused. */
async function refusals(): Promise<readonly string[]> {
  const asked = { ...APP, scope: 'photos:read', resource: box.photos }
  provider.person = undefined
  const denied = await authorizeBy(traveller(box.url, provider), asked)
  assert.match(denied.text, /denied_by_provider/)
  provider.person = 'alice-there'
  provider.defects.token = (body) => ({ ...body, id_token: `${String(body.id_token).slice(0, -8)}AAAAAAAA` })
  const unsigned = await authorizeBy(traveller(box.url, provider), asked)
  assert.match(unsigned.text, /id_token_invalid/)
  provider.defects.token = undefined
  const who = traveller(box.url, provider)
  const there = await who.here.open('/oauth/providers/authentik/start')
  const back = await who.there.open(there.url)
  const mismatch = await traveller(box.url, provider).here.open(back.url)
  assert.match(mismatch.text, /state_mismatch/)
  const token = await provider.sign({ iss: provider.issuer, aud: 'other', email: 'alice@home.example' })
  provider.given.push(token)
  const body = new URLSearchParams({ logout_token: token })
  const logout = await fetch(`${box.url}/oauth/providers/authentik/logout`, { method: 'POST', body })
  assert.equal(logout.status, 400)
  return [denied.text, unsigned.text, mismatch.text, await logout.text()]
}

/** An answer that is under way when its token ends is broken off. */
function refusedSoon(access: string | undefined, ms: number): Promise<void> {
  return within(ms, async () => {
    const answer = await box.call(access).catch(() => undefined)
    return answer?.status === 401 ? undefined : 'still let through'
  })
}

async function metrics(): Promise<string> {
  const management = box.log().find((line) => typeof line.management === 'string')?.management
  return (await fetch(`${management}/metrics`)).text()
}

describe('operating with a provider', () => {
  it('2 `check` names the preset that it took, and why', async () => {
    const { code, stdout } = await box.audgate(['check'], '', env())
    assert.equal(code, 0)
    assert.match(stdout, /provider authentik \(.*\): preset authentik, because its path has \/application\/o\//)
  })

  it('2 `check` fails with FILE:LINE:COL where two providers don’t say whose groups count, and google lacks `allow`', async () => {
    const keys = `client_id: gate, client_secret: "\${SSO_SECRET}"`
    const files: readonly (readonly [string, string, RegExp])[] = [
      [
        'two.yaml',
        `- { issuer: "https://sso.example.com/realms/a", id: a, ${keys} }\n    - { issuer: "https://sso.example.com/realms/b", id: b, ${keys} }`,
        /^(\S*two\.yaml):4:7: `groups\.take` is missing.*\n\1:5:7: `groups\.take` is missing/,
      ],
      [
        'google.yaml',
        `- { issuer: "https://accounts.google.com", ${keys} }`,
        /^\S*google\.yaml:4:7: `allow` is missing: anybody can have an account there/,
      ],
    ]
    for (const [file, entries, problem] of files) {
      writeFileSync(
        join(box.folder, file),
        `public_url: https://gate.example.com\nissuer:\n  providers:\n    ${entries}\n`,
      )
      const { code, stdout, stderr } = await box.audgate(['check', file], '', env())
      assert.deepEqual([code, stdout], [2, ''])
      assert.match(stderr, problem)
    }
  })

  it('`provider list` and `provider test` say what is there and what to paste; a wrong secret is told from a right one', async () => {
    const { stdout: listed } = await box.audgate(['provider', 'list'], '', env())
    assert.match(listed, /authentik +authentik +authentik/)
    const good = await box.audgate(['provider', 'test', 'authentik'], '', env())
    assert.equal(good.code, 0, good.stdout + good.stderr)
    assert.match(good.stdout, /good {2}client and secret/)
    for (const path of ['callback', 'logout', 'start'])
      assert.ok(good.stdout.includes(`${box.url}/oauth/providers/authentik/${path}`))
    const wrong = await box.audgate(['provider', 'test', 'authentik'], '', { SSO_SECRET: 'not the secret at all' })
    assert.equal(wrong.code, 1)
    assert.match(wrong.stdout, /BAD {3}client and secret: refused/)
    assert.doesNotMatch(wrong.stdout + wrong.stderr, /not the secret/)
    const unknown = await box.audgate(['provider', 'test', 'nope'], '', env())
    assert.equal(unknown.code, 1)
  })

  it('the gateway lets a token through that a provider’s groups gave, and refuses it when the link is gone', async () => {
    const { answer } = await signIn()
    const access = answer.body.access_token
    assert.equal((await box.call(access)).status, 200)
    assert.equal(claimsOf(access).idp, 'authentik')
    const before = revocations()
    const { stdout, code } = await box.audgate(['user', 'unlink', 'alice', 'authentik'], '', env())
    assert.equal(code, 0, stdout)
    assert.ok(revocations() > before, 'what it was asked again with is given up there')
    assert.doesNotMatch(stdout, /could not be told/)
    await refusedSoon(access, 1_000)
    const refused = await askToken(box.url, {
      grant_type: 'refresh_token',
      refresh_token: answer.body.refresh_token,
      client_id: 'cli',
    })
    assert.equal(refused.body.error, 'invalid_grant')
  })

  it('`user link` gives the account back; `user forget` ends what came from there, and signing in stays possible', async () => {
    const { code, stderr } = await box.audgate(['user', 'link', 'alice', 'authentik', 'alice-there'], '', env())
    assert.equal(code, 0, stderr)
    const { answer } = await signIn()
    const access = answer.body.access_token
    assert.equal(claimsOf(access).username, 'alice')
    const before = revocations()
    assert.equal((await box.audgate(['user', 'forget', 'alice', 'authentik'], '', env())).code, 0)
    assert.ok(revocations() > before)
    await refusedSoon(access, 1_000)
    assert.equal((await box.call((await signIn()).answer.body.access_token)).status, 200)
  })

  it('metrics count calls and sign-ins, and know the age of the last word', async () => {
    const text = await metrics()
    assert.match(text, /audgate_provider_requests_total\{provider="authentik",kind="token",outcome="ok"\} [1-9]/)
    assert.match(text, /audgate_provider_sign_ins_total\{provider="authentik",outcome="ok",reason="ok"\} [1-9]/)
    assert.match(text, /audgate_provider_recheck_age_seconds\{provider="authentik"\} \d/)
  })

  it('41 No audit line, log line or metric holds a token, code, secret, claim set or mail address, nor does a page (but `/account` its person’s own address)', async () => {
    const { who, answer } = await signIn()
    const account = await who.here.open('/account')
    const pages = await refusals()
    const { stdout, stderr } = box.output()
    const { stdout: audit } = await box.audgate(['audit', '--json'], '', env())
    const told = [stdout, stderr, audit, await metrics()].join('\n')
    const secrets = [
      provider.clientSecret,
      'alice@home.example',
      ...provider.given,
      answer.body.access_token ?? '',
      answer.body.refresh_token ?? '',
    ].filter((each) => each !== '')
    for (const secret of secrets) assert.ok(!`${told}\n${pages.join('\n')}`.includes(secret), secret.slice(0, 12))
    // Nor what the provider calls the person: our `sub` stands for them.
    assert.doesNotMatch([stdout, stderr, await metrics()].join('\n'), /alice-there|"preferred_username"/)
    for (const secret of secrets.filter((each) => !each.includes('@'))) assert.ok(!account.text.includes(secret))
  })

  it('36 a provider that is taken out of routes.yaml takes its sign-ins’ tokens along within 1 s after the reload', async () => {
    const { answer } = await signIn()
    assert.equal((await box.call(answer.body.access_token)).status, 200)
    const { readFileSync } = await import('node:fs')
    const file = join(box.folder, 'routes.yaml')
    writeFileSync(file, readFileSync(file, 'utf8').replace(/^ {2}providers:.*\n/m, ''))
    // Files are looked at now and then: the bound begins with the log's word that the new one is in force.
    await within(10_000, async () =>
      box.log().some(({ event }) => event === 'config.reloaded') ? undefined : 'no reload',
    )
    await refusedSoon(answer.body.access_token, 1_000)
  })
})
