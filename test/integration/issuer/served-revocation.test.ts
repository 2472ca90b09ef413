import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { authorizationAttempt, formsOf, post } from '../../support/issuer/browser-less-person.ts'
import {
  type BlackBox,
  CALLBACK,
  claimsOf,
  openTunnel,
  Person,
  refusedWithin,
  startBlackBox,
  type Tokens,
} from '../../support/issuer/served-issuer.ts'

/** One second for what a command does from another process, and room for a busy machine. */
const BY_COMMAND_MS = 1_000
let box: BlackBox

before(async () => {
  box = await startBlackBox()
  await box.addUser('alice', 'photos,files')
  await box.addUser('bob', 'photos')
  await Promise.all([box.addApp('cli'), box.addApp('app'), box.addApp('asker', '--third-party')])
})
after(() => box.close())

/** Runs an act, and holds what it ends and what it leaves. */
async function ends(ended: readonly Tokens[], left: readonly Tokens[], act: () => Promise<unknown>): Promise<void> {
  for (const { access } of [...ended, ...left]) assert.equal((await box.call(access)).status, 200)
  const [first] = ended
  assert.ok(first)
  const tunnel = await openTunnel(box, first.access)
  await act()
  for (const { access } of ended) await refusedWithin(box, access, 'revoked', BY_COMMAND_MS)
  await Promise.race([
    tunnel.closed,
    new Promise((_, reject) => setTimeout(reject, BY_COMMAND_MS, new Error('the tunnel is still open'))),
  ])
  for (const { access } of left) assert.equal((await box.call(access)).status, 200, 'somebody else was disturbed')
}

async function refreshError(tokens: Tokens, clientId = 'cli'): Promise<unknown> {
  return (await box.refresh(tokens.refresh, { client_id: clientId })).body.error
}

describe('revoking from the command line reaches the running server within a second', () => {
  it('`revoke --jti` ends that one token only', async () => {
    const one = await box.signIn('alice')
    const { body } = await box.refresh(one.refresh)
    const next = { access: body.access_token ?? '', refresh: body.refresh_token ?? '' }
    await ends([one], [next], () => box.done('revoke', '--jti', String(claimsOf(one.access).jti)))
    assert.equal((await box.refresh(next.refresh)).status, 200)
  })

  it('`revoke --user NAME --client ID` ends what that client has of that person; signing in anew works at once', async () => {
    const [mine, other, bobs] = [
      await box.signIn('alice'),
      await box.signIn('alice', { clientId: 'app' }),
      await box.signIn('bob'),
    ]
    await ends([mine], [other, bobs], () => box.done('revoke', '--user', 'alice', '--client', 'cli'))
    assert.equal(await refreshError(mine), 'invalid_grant')
    assert.equal((await box.call((await box.signIn('alice')).access)).status, 200)
  })

  it('`revoke --client` ends what that client has of everybody, and no other client is disturbed', async () => {
    const [alices, bobs, other] = [
      await box.signIn('alice'),
      await box.signIn('bob'),
      await box.signIn('alice', { clientId: 'app' }),
    ]
    await ends([alices, bobs], [other], () => box.done('revoke', '--client', 'cli'))
    assert.equal(await refreshError(alices), 'invalid_grant')
    assert.equal(await refreshError(bobs), 'invalid_grant')
    assert.equal((await box.call((await box.signIn('alice')).access)).status, 200)
  })

  it('`revoke --user` ends what all clients have of that person', async () => {
    const [one, two, bobs] = [
      await box.signIn('alice'),
      await box.signIn('alice', { clientId: 'app' }),
      await box.signIn('bob'),
    ]
    await ends([one, two], [bobs], () => box.done('revoke', '--user', 'alice'))
    assert.equal(await refreshError(one), 'invalid_grant')
    assert.equal(await refreshError(two, 'app'), 'invalid_grant')
    assert.equal((await box.call((await box.signIn('alice')).access)).status, 200)
  })

  it('`revoke` takes the consents along: a third-party client asks again', async () => {
    const alice = new Person(box.url, 'alice')
    const asked = { clientId: 'asker', redirectUri: CALLBACK, scope: 'photos:read' }
    await box.signIn('alice', asked, alice)
    const silent = await alice.open(authorizationAttempt(box.url, asked).url)
    assert.ok(silent.url.startsWith(CALLBACK), 'consent is remembered')
    await box.done('revoke', '--user', 'alice', '--client', 'asker')
    const page = await alice.open(authorizationAttempt(box.url, asked).url)
    assert.ok(
      formsOf(page).some(({ boxes }) => boxes.includes('photos:read')),
      page.text,
    )
  })

  it('`client revoke` also blocks what comes after, and `client restore` takes that back', async () => {
    const [mine, other] = [await box.signIn('alice', { clientId: 'app' }), await box.signIn('alice')]
    await ends([mine], [other], () => box.done('client', 'revoke', 'app'))
    const alice = new Person(box.url, 'alice')
    const blocked = await alice.authorize({ clientId: 'app', redirectUri: CALLBACK, scope: 'photos:read' })
    assert.deepEqual([blocked.code, blocked.status], ['', 400], blocked.url)
    assert.match(String(await refreshError(mine, 'app')), /invalid_client|invalid_grant/)
    await box.done('client', 'restore', 'app')
    assert.equal((await box.call(mine.access)).reason, 'revoked')
    assert.equal(await refreshError(mine, 'app'), 'invalid_grant')
    assert.equal((await box.call((await box.signIn('alice', { clientId: 'app' })).access)).status, 200)
  })

  it('`user disable` also ends sessions and blocks signing in, and `user enable` takes that back', async () => {
    const browser = new Person(box.url, 'alice')
    const [mine, bobs] = [await box.signIn('alice', {}, browser), await box.signIn('bob')]
    await ends([mine], [bobs], () => box.done('user', 'disable', 'alice'))
    assert.equal(await refreshError(mine), 'invalid_grant')
    const attempt = authorizationAttempt(box.url, { clientId: 'cli', redirectUri: CALLBACK, scope: 'photos:read' })
    const page = await browser.open(attempt.url)
    assert.match(page.text, /name="password"/, 'the session has ended')
    assert.match((await browser.signIn(page)).text, /name="password"/, 'nobody signs in')
    await box.done('user', 'enable', 'alice')
    assert.equal((await box.call(mine.access)).reason, 'revoked')
    assert.equal((await box.call((await box.signIn('alice')).access)).status, 200)
  })

  it('`user groups` ends live tokens that carry what the group gave, and others of the person go on', async () => {
    await box.addUser('carol', 'photos,files')
    const photos = await box.signIn('carol', { scope: 'photos:read files:read' })
    const files = await box.signIn('carol', { scope: 'files:read' })
    assert.equal((await box.call(files.access, '/files/a')).status, 200)
    await ends([photos], [], () => box.done('user', 'groups', 'carol', 'files'))
    assert.equal((await box.call(files.access, '/files/a')).status, 200)
    const lost = await box.refresh(photos.refresh, { resource: box.photos })
    assert.equal(lost.body.error, 'invalid_target')
    const rest = await box.refresh(photos.refresh, { resource: box.files })
    assert.equal(rest.status, 200, JSON.stringify(rest.body))
    assert.equal((await box.call(rest.body.access_token, '/files/a')).status, 200)
    await box.done('user', 'groups', 'carol', 'photos,files')
    assert.equal((await box.call(photos.access)).reason, 'revoked')
    const back = await box.refresh(rest.body.refresh_token ?? '', { resource: box.photos })
    assert.equal((await box.call(back.body.access_token)).status, 200, 'good from the moment the group is back')
  })

  it('`user passwd` ends sessions and tokens; the new password signs in, the old one does not', async () => {
    await box.addUser('dora', 'photos')
    const mine = await box.signIn('dora')
    const left = await box.signIn('bob')
    await ends([mine], [left], async () => {
      const ended = await box.audgate(['user', 'passwd', 'dora', '--password-stdin'], 'another long password\n')
      assert.equal(ended.code, 0, ended.stderr)
    })
    assert.equal(await refreshError(mine), 'invalid_grant')
    const old = await new Person(box.url, 'dora').authorize({
      clientId: 'cli',
      redirectUri: CALLBACK,
      scope: 'photos:read',
    })
    assert.equal(old.code, '')
    assert.equal(
      (await box.signIn('dora', {}, new Person(box.url, 'dora', 'another long password'))).answer.status,
      200,
    )
  })
})

describe('revoking at the issuer is in force at once', () => {
  const revoke = (token: string, clientId = 'cli') => post(`${box.url}/oauth/revoke`, { token, client_id: clientId })

  it('RFC 7009 of a JWT access token ends that token, and the refresh token goes on', async () => {
    const mine = await box.signIn('alice')
    assert.equal((await revoke(mine.access)).status, 200)
    await refusedWithin(box, mine.access, 'revoked', 50)
    assert.equal((await box.refresh(mine.refresh)).status, 200)
  })

  it('RFC 7009 of a refresh token takes its access tokens along, and other families go on', async () => {
    const [mine, other] = [await box.signIn('alice'), await box.signIn('alice')]
    const { body } = await box.refresh(mine.refresh)
    assert.equal((await revoke(body.refresh_token ?? '')).status, 200)
    for (const token of [mine.access, body.access_token ?? '']) await refusedWithin(box, token, 'revoked', 50)
    assert.equal((await box.refresh(body.refresh_token ?? '')).body.error, 'invalid_grant')
    assert.equal((await box.call(other.access)).status, 200)
    assert.equal((await box.refresh(other.refresh)).status, 200)
  })

  it("RFC 7009 of an unknown token is 200, and of somebody else's changes nothing", async () => {
    const mine = await box.signIn('alice')
    for (const token of ['nothing', 'a.b.c', mine.access, mine.refresh]) {
      assert.equal((await revoke(token, 'app')).status, 200, token)
    }
    assert.equal((await box.call(mine.access)).status, 200)
    assert.equal((await box.refresh(mine.refresh)).status, 200)
  })

  it('a replayed refresh token, used after its successor, ends the family within 50 ms', async () => {
    const mine = await box.signIn('alice')
    const second = await box.refresh(mine.refresh)
    const third = await box.refresh(second.body.refresh_token ?? '')
    assert.equal((await box.refresh(mine.refresh)).body.error, 'invalid_grant')
    for (const token of [mine.access, second.body.access_token, third.body.access_token]) {
      await refusedWithin(box, token ?? '', 'revoked', 50)
    }
    assert.equal((await box.refresh(third.body.refresh_token ?? '')).body.error, 'invalid_grant')
  })

  it('a replayed code ends what came of it', async () => {
    const options = { clientId: 'cli', redirectUri: CALLBACK, scope: 'photos:read' }
    const attempt = await new Person(box.url, 'alice').authorize(options)
    const redeemed = () =>
      post(`${box.url}/oauth/token`, {
        grant_type: 'authorization_code',
        code: attempt.code,
        code_verifier: attempt.verifier,
        redirect_uri: CALLBACK,
        client_id: 'cli',
      })
    const { body } = await redeemed()
    assert.equal((await box.call(body.access_token)).status, 200)
    assert.equal((await redeemed()).body.error, 'invalid_grant')
    await refusedWithin(box, body.access_token ?? '', 'revoked', 50)
  })
})

describe('introspection (RFC 7662) tells the same truth', () => {
  let [ofPhotos, ofFiles] = ['', '']
  const asService = (id: string, secret: string) => ({
    authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`,
  })
  before(async () => {
    ofPhotos = await box.addSecretClient('photo-server', 'service', '--allow', `${box.photos}=photos:read`)
    ofFiles = await box.addSecretClient('file-server', 'service', '--allow', `${box.files}=files:read`)
  })

  it("to the token's own client and to a service client that is allowed its resource; to others it is inactive", async () => {
    const { access, refresh } = await box.signIn('alice')
    const ask = (token: string, form: Record<string, string>, headers = {}) =>
      post(`${box.url}/oauth/introspect`, { token, ...form }, headers)
    const own = await ask(access, { client_id: 'cli' })
    assert.deepEqual([own.body.active, own.body.aud, own.body.scope], [true, box.photos, 'photos:read'])
    const allowed = await ask(access, {}, asService('photo-server', ofPhotos))
    assert.deepEqual([allowed.body.active, allowed.body.client_id, allowed.body.username], [true, 'cli', 'alice'])
    assert.deepEqual((await ask(access, {}, asService('file-server', ofFiles))).body, { active: false })
    assert.deepEqual((await ask(access, { client_id: 'app' })).body, { active: false })
    assert.equal((await ask(refresh, { client_id: 'cli' })).body.active, true)
    assert.deepEqual((await ask(refresh, {}, asService('photo-server', ofPhotos))).body, { active: false })
    assert.deepEqual((await ask(refresh, { client_id: 'app' })).body, { active: false })
    assert.deepEqual((await ask('nothing', { client_id: 'cli' })).body, { active: false })
    const nobody = await ask(access, {})
    assert.deepEqual([nobody.status, nobody.body.error, nobody.body.active], [401, 'invalid_client', undefined])
    await box.done('revoke', '--jti', String(claimsOf(access).jti))
    assert.deepEqual((await ask(access, { client_id: 'cli' })).body, { active: false })
    assert.deepEqual((await ask(access, {}, asService('photo-server', ofPhotos))).body, { active: false })
  })
})

describe('a restart forgets nothing', () => {
  it('what was revoked stays revoked, what was good stays good, and a refresh is answered again', async () => {
    const [gone, family, good] = [await box.signIn('alice'), await box.signIn('alice'), await box.signIn('bob')]
    await box.done('revoke', '--jti', String(claimsOf(gone.access).jti))
    await post(`${box.url}/oauth/revoke`, { token: family.refresh, client_id: 'cli' })
    const second = await box.refresh(good.refresh)
    await box.restart()
    assert.equal((await box.call(gone.access)).reason, 'revoked')
    assert.equal((await box.call(family.access)).reason, 'revoked')
    assert.equal((await box.call(good.access)).status, 200)
    assert.deepEqual((await box.refresh(good.refresh)).body, second.body)
    assert.equal((await box.refresh(second.body.refresh_token ?? '')).status, 200)
  })

  it('what is revoked while nothing serves is in force from the first request', async () => {
    const mine = await box.signIn('alice')
    await box.restart(() => box.done('revoke', '--user', 'alice'))
    assert.equal((await box.call(mine.access)).reason, 'revoked')
  })
})
