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
import {
  ALICE,
  type Answered,
  addPeople,
  basic,
  browserYaml,
  FETCH,
  Jar,
  PAGE,
} from '../../../support/browser-gateway.ts'
import { startGateway, until } from '../../../support/gateway-under-test.ts'
import { runAudgate } from '../../../support/programs/command-line.ts'
import { freePorts } from '../../../support/programs/free-ports.ts'
import { serve } from '../../../support/serving.ts'

const env = { AUDGATE_FEED_TOKEN: 'a-feed-token-that-is-long-enough' }

async function upstream() {
  const server = createServer((request, response) => {
    request.resume()
    response.setHeader('x-request-id', request.headers['x-request-id'] ?? '')
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

/** Opens a session of somebody who is signed in at the issuer, so that every request to the host ends at the process behind a port. */
async function openAt(jar: Jar, host: string, port: number): Promise<void> {
  const headers = { ...PAGE, host: new URL(host).host }
  let next = `${host}/a`
  for (let hop = 0; hop < 6 && jar.cookie(host, 'audgate_web') === undefined; hop += 1) {
    const isHosts = next.startsWith(`${host}/`)
    const through = isHosts ? `http://${new URL(host).hostname}:${port}${next.slice(host.length)}` : next
    const { location = '' } = await jar.send(through, { headers: isHosts ? headers : PAGE })
    next = new URL(location, next).href
  }
  assert.ok(jar.cookie(host, 'audgate_web') !== undefined, next)
}

/** Repeats a request until each of four processes has answered it, always with 200. Request ids begin with a text of the process. */
async function byEachOfFour(ask: () => Promise<Answered>): Promise<readonly Answered[]> {
  const answers = new Map<string, Answered>()
  for (let tries = 0; tries < 400 && answers.size < 4; tries += 1) {
    const answer = await ask()
    assert.equal(answer.status, 200, answer.text)
    answers.set(String(answer.headers['x-request-id']).split('-')[0] ?? '', answer)
  }
  assert.equal(answers.size, 4, 'each process answers')
  return [...answers.values()]
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

/** Milliseconds from the end of the command that revokes an app password to its refusal at another process; the median of three. */
async function endsAfter(store: Store, there: string, folder: string): Promise<number> {
  const [made] = await store.appPasswords({})
  if (made === undefined) return assert.fail('no app password')
  const took: number[] = []
  for (const id of ['first', 'second', 'third']) {
    const password = `agp_${id.padEnd(43, 'C')}`
    const hash = createHash('sha256').update(password).digest('base64url')
    await store.addAppPassword({ ...made, id, hash, gid: `ends-${id}` }, 100)
    const headers = { authorization: `Bearer ${password}` }
    const status = async () => (await new Jar().send(`${there}/a`, { headers })).status
    assert.equal(await status(), 200)
    const { code, stderr } = await runAudgate(folder, ['app-password', 'revoke', id], '', {
      AUDGATE_SECRET: 'a secret for tests that is long enough',
      ...env,
    })
    assert.equal(code, 0, stderr)
    const from = performance.now()
    await until(async () => (await status()) === 401, 'it has ended there', 5_000)
    took.push(performance.now() - from)
  }
  return took.sort((a, b) => a - b)[1] ?? Number.NaN
}

describe('With `issuer: { upstream }` and with `workers: 4` a session, app password and ticket made at one process opens at every other', () => {
  it('with a gateway on its own: a session, an app password and a ticket; and ends there within a second', async (context) => {
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
      const here = `http://photos.localhost:${port}`
      assert.deepEqual(await opened(jar, here, password, await ticketOf(there, password)), [200, 200, 200])
      jar.cookies.delete('photos.localhost')
      await openAt(jar, here, own)
      for (const at of [here, there]) assert.deepEqual(await opened(jar, at, password, ticket), [200, 200, 200], at)
      await noted(store, there)
      const ms = await endsAfter(store, there, issuer.folder)
      context.diagnostic(`an app password ended there after ${ms} ms`)
      assert.ok(ms <= 1_000, `${ms} ms`)
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
      const program = new Jar()
      const headers = { authorization: basic('x', password) }
      await byEachOfFour(() => program.send(`${at}/a`, { headers }))
      const made = await byEachOfFour(() =>
        program.send(`${at}/.audgate/tickets`, { method: 'POST', headers, body: '{"path":"/a"}' }),
      )
      for (const { text } of made) await byEachOfFour(() => program.send(JSON.parse(text).url))
      // Each of another browser of hers, until every process has opened one.
      const openedBy = () => {
        const callbacks = serving.log().filter(({ path, status }) => path === '/.audgate/callback' && status === 302)
        return new Set(callbacks.map(({ request_id: id }) => String(id).split('-')[0])).size
      }
      for (let tries = 0; tries < 40 && openedBy() < 4; tries += 1) {
        // Connections go round: with one more each time, another process gets the callback.
        await program.send(`${at}/a`, { headers })
        jar.cookies.delete('photos.localhost')
        await jar.open(`${at}/`)
        await byEachOfFour(() => jar.send(`${at}/a`, { headers: FETCH }))
      }
      assert.equal(openedBy(), 4, 'each process has opened a session')
    } finally {
      await serving.remove()
      rmSync(folder, { recursive: true, force: true })
      behind.server.close()
      behind.server.closeAllConnections()
    }
  })
})
