import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { openSqliteStore } from '../../../../src/store/sqlite.ts'
import type { Store } from '../../../../src/store/store.ts'
import { ALICE, addPeople, basic, browserYaml, FETCH, Jar } from '../../../support/browser-gateway.ts'
import { startGateway, until } from '../../../support/gateway-under-test.ts'
import { runAudgate } from '../../../support/programs/command-line.ts'
import { freePorts } from '../../../support/programs/free-ports.ts'
import { serve } from '../../../support/serving.ts'

const env = { AUDGATE_FEED_TOKEN: 'a-feed-token-that-is-long-enough' }

async function upstream() {
  const server = createServer((request, response) => {
    request.resume()
    response.end(JSON.stringify({ url: request.url }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

/** Asks with a session, an app password and a ticket; their statuses. */
async function opened(jar: Jar, at: string, password: string, ticket: string): Promise<readonly number[]> {
  const program = new Jar()
  const { pathname, search } = new URL(ticket)
  return [
    (await jar.send(`${at}/a`, { headers: FETCH })).status,
    (await program.send(`${at}/a`, { headers: { authorization: basic('x', password) } })).status,
    (await program.send(`${at}${pathname}${search}`)).status,
  ]
}

async function ticketOf(at: string, password: string): Promise<string> {
  const headers = { authorization: `Bearer ${password}` }
  const made = await new Jar().send(`${at}/.audgate/tickets`, { method: 'POST', headers, body: '{"path":"/a"}' })
  assert.equal(made.status, 200, made.text)
  return JSON.parse(made.text).url
}

/** What is used at another process alone is known where the store is: nothing lies unused for that, and open tunnels are asked about. */
async function noted(store: Store, there: string): Promise<void> {
  const [made] = await store.appPasswords({})
  if (made === undefined) return assert.fail('no app password')
  const password = `agp_${'B'.repeat(43)}`
  const gid = 'used-there-alone'
  const hash = createHash('sha256').update(password).digest('base64url')
  await store.addAppPassword({ ...made, id: 'there', hash, gid, lastUsedAt: undefined }, 100)
  const headers = { authorization: `Bearer ${password}` }
  assert.equal((await new Jar().send(`${there}/a`, { headers })).status, 200)
  const lastUsed = async () => (await store.appPasswords({ gid }))[0]?.lastUsedAt
  await until(async () => (await lastUsed()) !== undefined, 'the use is known at the issuer', 20_000)
}

describe('With `issuer: { upstream }` and with `workers: 4` a session, app password and ticket made at one process opens at every other', () => {
  it('with a gateway on its own: a session, an app password and a ticket; and ends there within a second', async () => {
    const behind = await upstream()
    const [port = 0, own = 0] = await freePorts(2)
    const text = browserYaml(port, behind.url)
    const issuer = await startGateway({ yaml: text, env })
    const follower = await startGateway({
      yaml: text
        .replace(/^listen: .*$/m, `listen: 127.0.0.1:${own}`)
        .replace(/^issuer: .*$/m, `issuer: { upstream: "http://127.0.0.1:${port}" }`),
      env,
    })
    try {
      const { store } = issuer.server
      if (store === undefined) return assert.fail('no issuer')
      await addPeople(store)
      const jar = new Jar()
      await jar.signIn(`http://photos.localhost:${port}/`, ALICE)
      const args = [
        '--user',
        'alice',
        '--resource',
        `http://localhost:${port}/photos`,
        '--scope',
        'photos:read',
        '--name',
        'tv',
        '--json',
      ]
      const added = await runAudgate(issuer.folder, ['app-password', 'add', ...args], '', {
        AUDGATE_SECRET: 'a secret for tests that is long enough',
        ...env,
      })
      const { password, id } = JSON.parse(added.stdout)
      const ticket = await ticketOf(`http://photos.localhost:${port}`, password)
      const there = `http://photos.localhost:${own}`
      await until(
        async () => (await jar.send(`${there}/a`, { headers: FETCH })).status === 200,
        'the follower is caught up',
      )
      assert.deepEqual(await opened(jar, there, password, ticket), [200, 200, 200])
      assert.match(await ticketOf(there, password), /audgate_ticket=/)
      await noted(store, there)
      await runAudgate(issuer.folder, ['app-password', 'revoke', id], '', {
        AUDGATE_SECRET: 'a secret for tests that is long enough',
        ...env,
      })
      await runAudgate(issuer.folder, ['revoke', '--client', 'browser'], '', {
        AUDGATE_SECRET: 'a secret for tests that is long enough',
        ...env,
      })
      await until(
        async () => (await opened(jar, there, password, ticket)).every((status) => status === 401),
        'all have ended',
        3_000,
      )
    } finally {
      await follower.close()
      await issuer.close()
      behind.server.close()
      behind.server.closeAllConnections()
    }
  })
  it('with workers: 4', async () => {
    const behind = await upstream()
    const [port = 0] = await freePorts(1)
    const folder = mkdtempSync(join(tmpdir(), 'audgate-browser-'))
    const file = join(folder, 'audgate.db')
    const serving = await serve(`workers: 4\nstore: sqlite:${file}\n${browserYaml(port, behind.url)}`)
    try {
      const store = await openSqliteStore(file)
      await addPeople(store)
      await store.close()
      const jar = new Jar()
      const at = `http://photos.localhost:${port}`
      await jar.signIn(`${at}/`, ALICE)
      const args = [
        '--user',
        'alice',
        '--resource',
        `http://localhost:${port}/photos`,
        '--scope',
        'photos:read',
        '--name',
        'tv',
        '--json',
      ]
      const { password } = JSON.parse((await runAudgate(serving.folder, ['app-password', 'add', ...args])).stdout)
      const ticket = await ticketOf(at, password)
      for (let i = 0; i < 12; i += 1) assert.deepEqual(await opened(jar, at, password, ticket), [200, 200, 200])
    } finally {
      await serving.remove()
      rmSync(folder, { recursive: true, force: true })
      behind.server.close()
      behind.server.closeAllConnections()
    }
  })
})
