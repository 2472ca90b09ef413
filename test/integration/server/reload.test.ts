import assert from 'node:assert/strict'
import { copyFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { loadConfig } from '../../../src/config/load.ts'
import { logTo } from '../../../src/observe/log.ts'
import { keepReloading, type Reloading } from '../../../src/server/reload.ts'
import { photosRoute, startGateway, type TestGateway, until, yamlOf } from '../../support/gateway-under-test.ts'
import { listenOnLoopback, rawRequest, startUpstream, stopServer, type TestUpstream } from '../../support/upstreams.ts'

describe('reload', () => {
  let upstream: TestUpstream
  let gateway: TestGateway
  let reloading: Reloading
  let log: Record<string, unknown>[]
  let yaml: string

  before(async () => {
    upstream = await startUpstream()
  })
  after(() => upstream.close())

  beforeEach(async () => {
    yaml = yamlOf(photosRoute(upstream.url))
    gateway = await startGateway({ yaml })
    log = []
    const sink = { write: (line: string) => log.push(JSON.parse(line)) }
    const file = join(gateway.folder, 'routes.yaml')
    reloading = keepReloading({
      server: gateway.server,
      log: logTo(sink),
      now: Date.now,
      load: () => loadConfig(file, {}),
    })
  })
  afterEach(async () => {
    reloading.close()
    await gateway.close()
  })

  /** Saves a text as an editor does. */
  function save(text: string): void {
    const keys = join(gateway.folder, 'keys.json')
    writeFileSync(join(gateway.folder, 'routes.yaml'), `listen: 127.0.0.1:0\n${text}`.replaceAll('$KEYS', keys))
  }

  async function statusOf(path: string, token = gateway.token()): Promise<number> {
    const answer = await fetch(`${gateway.url}${path}`, { headers: { authorization: `Bearer ${token}` } })
    await answer.text()
    return answer.status
  }

  it('saving a valid file puts it in force, and the log says what changed', async () => {
    assert.equal(await statusOf('/more/a'), 404)
    save(`${yaml}  - { id: more, path: /more, public: true, upstream: "${upstream.url}" }\n`)
    await until(async () => (await statusOf('/more/a')) === 200, 'the new route')
    assert.match(JSON.stringify(gateway.log), /route more: added/)
  })

  it('saving an invalid file leaves the old one in force, and the log shows every problem with its place', async () => {
    save(`${yaml}\nnonsense: 1\nmore_nonsense: 2\n`)
    await until(() => log.some(({ event }) => event === 'reload.refused'), 'the log line')
    assert.equal(await statusOf('/photos/a'), 200)
    const problems = log.find(({ event }) => event === 'reload.refused')?.problems
    assert.equal(Array.isArray(problems) && problems.length, 2)
    assert.match(JSON.stringify(problems), /routes\.yaml:\d+:\d+: /)
    const refused = () => log.filter(({ event }) => event === 'reload.refused').length
    const before = refused()
    writeFileSync(join(gateway.folder, 'routes.yaml'), '')
    await until(() => refused() > before, 'the problem of an empty file')
    assert.equal(await statusOf('/photos/a'), 200)
  })

  it('a file that is replaced, as editors do, is noticed again and again, and after it was away', async () => {
    const file = join(gateway.folder, 'routes.yaml')
    for (const id of ['r0', 'r1', 'r2']) {
      save(`${yaml}  - { id: ${id}, path: /${id}, public: true, upstream: "${upstream.url}" }\n`)
      renameSync(file, `${file}~`)
      copyFileSync(`${file}~`, `${file}.tmp`)
      renameSync(`${file}.tmp`, file)
      await until(async () => (await statusOf(`/${id}/a`)) === 200, `route ${id}`)
    }
    rmSync(file)
    assert.equal(await statusOf('/r2/a'), 200)
    save(yaml)
    await until(async () => (await statusOf('/r2/a')) === 404, 'the file after its absence')
  })

  it('what a change narrows holds for the next request, for remembered tokens too', async () => {
    const token = gateway.token()
    assert.equal(await statusOf('/photos/a', token), 200)
    await gateway.server.reload(
      gateway.decode(
        yaml.replace(
          '{ methods: [read], scopes: [photos:read] }',
          '{ methods: [read], scopes: [photos:read, photos:write] }',
        ),
      ),
    )
    assert.equal(await statusOf('/photos/a', token), 403)
    await gateway.server.reload(gateway.decode(yaml.replace('algorithms: [ES256]', 'algorithms: [RS256]')))
    assert.equal(await statusOf('/photos/a', token), 401)
  })

  it('drops no request: those under way end by the file that they began with', async () => {
    const answers = Array.from({ length: 50 }, (_, i) => statusOf(`/photos/${i}`))
    await gateway.server.reload(gateway.decode(yaml.replace('name: Files', 'name: All files')))
    assert.deepEqual(new Set(await Promise.all(answers)), new Set([200]))
  })

  it('an answer under way goes on when its route is gone', async (t) => {
    const held: { release?: () => void } = {}
    const slow = createServer((request, response) => {
      if (request.url !== '/slow/held') return void response.end()
      response.write('begun ')
      held.release = () => response.end('done')
    })
    const port = await listenOnLoopback(slow)
    t.after(() => stopServer(slow))
    save(`${yaml}  - { id: slow, path: /slow, public: true, upstream: "http://127.0.0.1:${port}" }\n`)
    await until(async () => (await statusOf('/slow/a')) === 200, 'the route')
    const answer = await fetch(`${gateway.url}/slow/held`)
    save(yaml)
    await until(async () => (await statusOf('/slow/a')) === 404, 'the route to go')
    held.release?.()
    assert.equal(await answer.text(), 'begun done')
  })

  it('access_log and max_connections change live', async () => {
    const ask = async () => (await rawRequest(gateway.port, 'GET /photos/a HTTP/1.1\r\nHost: a\r\n\r\n')).status
    const open = async (count: number) => {
      const metrics = async () => (await fetch(`${gateway.managementUrl}/metrics`)).text()
      await until(async () => (await metrics()).includes(`\naudgate_connections_open ${count}\n`), `${count} open`)
    }
    assert.equal(await ask(), 401)
    const lines = () => gateway.requests().length
    await until(() => lines() === 1, 'its line')
    await open(0)
    const settings = 'access_log: off\nmax_connections: 1'
    await gateway.server.reload(gateway.decode(yamlOf(photosRoute(upstream.url), settings)))
    const socket = connect(gateway.port, '127.0.0.1')
    await open(1)
    assert.equal(await ask(), 0, 'no room')
    socket.destroy()
    await open(0)
    assert.equal(await ask(), 401, 'room again')
    await open(0)
    assert.equal(lines(), 1)
  })

  it('what can’t change live is named in the log, and the rest is in force', async () => {
    await gateway.server.reload(
      gateway.decode(
        `listen: 127.0.0.1:1\n${yaml.replace('name: Files', 'name: All files')}`.replace('listen', '\nlisten'),
      ),
    )
    assert.match(JSON.stringify(gateway.log), /listen changed: needs a restart/)
    const metadata = await (await fetch(`${gateway.url}/.well-known/oauth-protected-resource/files`)).json()
    assert.equal((metadata as { resource_name: string }).resource_name, 'All files')
  })

  it('a file with another public_url is not put in force before a restart', async () => {
    await assert.rejects(
      gateway.server.reload(gateway.decode(yaml.replace('public_url: https://gate', 'public_url: https://other'))),
      /public_url changed: needs a restart/,
    )
    assert.equal(await statusOf('/photos/a'), 200)
  })

  it('a connection that is kept alive is judged by the new file', async () => {
    const token = gateway.token()
    assert.equal(await statusOf('/photos/a', token), 200)
    await gateway.server.reload(gateway.decode(yaml.replace('path: /photos\n', 'path: /pictures\n')))
    assert.equal(await statusOf('/photos/a', token), 404)
    assert.equal(await statusOf('/pictures/a', token), 200)
  })
})
