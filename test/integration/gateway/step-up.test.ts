import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { startGateway, type TestGateway, yamlOf } from '../../support/gateway-under-test.ts'
import { makeKey, mintToken } from '../../support/keys.ts'
import { commandLine } from '../../support/programs/command-line.ts'
import { startUpstream, type TestUpstream } from '../../support/upstreams.ts'

const RESOURCE = 'https://gate.example.com/photos'
const METADATA = 'https://gate.example.com/.well-known/oauth-protected-resource/photos'

function routeTo(upstream: string): string {
  return `
  - id: photos
    path: /photos
    resource: ${RESOURCE}
    upstream: ${upstream}
    rules:
      - { methods: [read], scopes: [photos:read] }
      - { methods: [DELETE], scopes: [photos:write], acr: mfa, max_age: 10m }
      - { methods: [PUT], scopes: [photos:write], acr: phr }
      - { methods: [POST], scopes: [photos:write], max_age: 10m }
`
}

const MAP = '    acr: { pwd: ["urn:pw"], mfa: ["https://idp/mfa", strong] }\n'
const mapped = (yaml: string, map = MAP): string => yaml.replace('resources:', `${map}resources:`)

describe('A rule that asks something of the sign-in', () => {
  let upstream: TestUpstream
  let gateway: TestGateway
  const clock = { ms: Date.now() }

  before(async () => {
    upstream = await startUpstream((_request, response) => response.end('ok'))
    gateway = await startGateway({ yaml: mapped(yamlOf(routeTo(upstream.url))), now: () => clock.ms })
  })
  after(async () => {
    await gateway.close()
    await upstream.close()
  })

  const now = () => Math.floor(clock.ms / 1000)
  const ask = async (method: string, claims: Record<string, unknown>, scope = 'photos:write') => {
    const token = gateway.token({ claims: { scope, iat: now() - 5, exp: now() + 3600, ...claims } })
    const answer = await fetch(`${gateway.url}/photos/1`, { method, headers: { Authorization: `Bearer ${token}` } })
    const text = await answer.text()
    const reason = answer.status === 200 ? 'ok' : JSON.parse(text).reason
    return { status: answer.status, reason, challenge: answer.headers.get('www-authenticate') ?? '' }
  }

  it('is passed by a sign-in that is good enough and fresh, in the words of its issuer', async () => {
    for (const acr of ['https://idp/mfa', 'strong'])
      assert.equal((await ask('DELETE', { acr, auth_time: now() - 60 })).status, 200)
    assert.equal((await ask('POST', { auth_time: now() - 600 })).status, 200)
  })

  it('answers 401 with the challenge of RFC 9470: what level, what age, which scope, where to ask', async () => {
    const { status, reason, challenge } = await ask('DELETE', { acr: 'urn:pw', auth_time: now() - 60 })
    assert.deepEqual([status, reason], [401, 'insufficient_authentication'])
    assert.match(challenge, /^Bearer /)
    const wanted = [
      `resource_metadata="${METADATA}"`,
      'scope="photos:write"',
      'acr_values="https://idp/mfa strong"',
      'max_age="600"',
      'error="insufficient_user_authentication"',
    ]
    for (const part of wanted) assert.ok(challenge.includes(part), `${part} in ${challenge}`)
  })

  it('refuses values of acr that mean nothing here, another type of them, and what has none', async () => {
    for (const acr of ['mfa', 'phr', 'urn:pw', '', ['strong'], undefined, 'STRONG', '__proto__'])
      assert.equal((await ask('DELETE', { acr, auth_time: now() })).reason, 'insufficient_authentication', String(acr))
  })

  it('refuses a sign-in without auth_time, one that is too old and one in the future; a clock may differ by a minute', async () => {
    for (const auth_time of [undefined, 'now', now() - 661, now() + 62, null, Number.MAX_VALUE])
      assert.equal((await ask('POST', { auth_time })).reason, 'insufficient_authentication', String(auth_time))
    for (const auth_time of [now() - 659, now() + 30]) assert.equal((await ask('POST', { auth_time })).status, 200)
  })

  it('judges a token that it knows anew: what was fresh passes no more once it is too old', async () => {
    const token = gateway.token({
      claims: { scope: 'photos:write', iat: now(), exp: now() + 3600, auth_time: now(), acr: 'strong' },
    })
    const call = () =>
      fetch(`${gateway.url}/photos/1`, { method: 'DELETE', headers: { Authorization: `Bearer ${token}` } })
    assert.equal((await call()).status, 200)
    clock.ms += 11 * 60_000 + 60_000
    const late = await call()
    assert.deepEqual(
      [late.status, (JSON.parse(await late.text()) as { reason: string }).reason],
      [401, 'insufficient_authentication'],
    )
  })

  it('names no acr_values where the issuer has no word for the level or a better one', async () => {
    const { challenge } = await ask('PUT', { acr: 'strong', auth_time: now() })
    assert.match(challenge, /error="insufficient_user_authentication"/)
    assert.doesNotMatch(challenge, /acr_values|max_age/)
  })

  it('tells a missing scope before a missing level', async () => {
    assert.equal((await ask('DELETE', {}, 'photos:read')).reason, 'insufficient_scope')
  })

  it('asks nothing of requests that other rules are for', async () => {
    assert.equal((await ask('GET', {}, 'photos:read')).status, 200)
  })

  it('holds for the next request after a reload', async () => {
    await gateway.server.reload(gateway.decode(yamlOf(routeTo(upstream.url))))
    assert.equal((await ask('DELETE', { acr: 'strong', auth_time: now() })).reason, 'insufficient_authentication')
    await gateway.server.reload(gateway.decode(mapped(yamlOf(routeTo(upstream.url)))))
    assert.equal((await ask('DELETE', { acr: 'strong', auth_time: now() })).status, 200)
  })
})

describe('The commands, of a rule that asks something of the sign-in', () => {
  const key = makeKey()

  it('explain prints level and age, needed and found', async () => {
    const command = commandLine(mapped(yamlOf(routeTo('http://127.0.0.1:9000'))).replaceAll('$KEYS', 'keys.json'))
    try {
      writeFileSync(join(command.folder, 'keys.json'), JSON.stringify({ keys: [key.publicJwk] }))
      const seconds = Math.floor(Date.now() / 1000)
      const token = (claims: Record<string, unknown>) =>
        mintToken(key, { claims: { scope: 'photos:write', ...claims } })
      const run = (claims: Record<string, unknown>) =>
        command.run(['explain', 'DELETE', '/photos/a', '--token', token(claims)])
      const good = await run({ acr: 'strong', auth_time: seconds - 30 })
      assert.equal(good.code, 0, good.stderr)
      assert.match(
        good.stdout,
        /ok {3}sign-in\n +expected: level mfa or better, signed in at most 600 s ago\n +got: +level mfa, signed in \d+ s ago/,
      )
      const bad = await run({ acr: 'urn:pw' })
      assert.equal(bad.code, 3)
      assert.match(bad.stdout, /NO {3}sign-in\n +expected: level mfa.*\n +got: +level pwd, no auth_time/)
      assert.match(bad.stdout, /DENIED {3}401 insufficient_authentication/)
      const unmapped = commandLine(yamlOf(routeTo('http://127.0.0.1:9000')).replaceAll('$KEYS', 'keys.json'))
      try {
        const { stderr, code } = await unmapped.run(['check'])
        assert.equal(code, 0)
        assert.match(stderr, /tokens of .* are refused here: say by `acr`/)
        assert.match(stderr, /refused here unless they have `auth_time`/)
      } finally {
        unmapped.close()
      }
    } finally {
      command.close()
    }
  })
})
