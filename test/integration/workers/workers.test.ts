import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, createServer, get, type IncomingMessage, type Server } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { until } from '../../support/gateway-under-test.ts'
import { makeKey, mintProof, mintToken, TEST_ISSUER } from '../../support/keys.ts'
import { freePorts } from '../../support/programs/free-ports.ts'
import { type Serving, serve } from '../../support/serving.ts'
import { addPeople, command, photosFile, signIn } from '../../support/split-audgate.ts'
import { listenOnLoopback, rawRequest } from '../../support/upstreams.ts'

interface Answered {
  readonly status: number
  readonly reason: string | undefined
  /** Which worker it was: request ids begin with a text of the process. */
  readonly worker: string
}

/** A busy machine may take long over a process's start; nothing is promised of it. */
const PROCESS_START_MS = 30_000

describe('workers: 2', () => {
  const key = makeKey()
  const held: IncomingMessage[] = []
  let folder: string
  let upstream: Server
  let serving: Serving
  let publicUrl: string
  let yaml: string

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'audgate-workers-'))
    writeFileSync(join(folder, 'keys.json'), JSON.stringify({ keys: [key.publicJwk] }))
    held.length = 0
    upstream = createServer((request, response) => {
      if (request.url?.endsWith('/slow')) {
        held.push(request)
        response.write('begun ')
        request.socket.once('end-it', () => response.end('and done'))
      } else response.end(request.headers['x-request-id'])
    })
    upstream.on('upgrade', (_, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    })
    const photos = `http://127.0.0.1:${await listenOnLoopback(upstream)}`
    const [port] = await freePorts(1)
    publicUrl = `http://127.0.0.1:${port}`
    yaml = fileWith(photos, `listen: 127.0.0.1:${port}`)
    serving = await serve(yaml)
    assert.equal(serving.url, publicUrl, (await Promise.race([serving.ended(), { stderr: '' }])).stderr)
  })
  afterEach(async () => {
    await serving.remove()
    upstream.closeAllConnections()
    upstream.close()
    rmSync(folder, { recursive: true, force: true })
  })

  /** Photos behind the embedded issuer, and notes behind an issuer from elsewhere. */
  function fileWith(photos: string, listen: string): string {
    const issuer = `trusted_issuers:
  - issuer: ${TEST_ISSUER}
    jwks_file: ${join(folder, 'keys.json')}
    algorithms: [ES256]
    claims: { groups: groups, username: username, scope: scope, client: client_id }`
    const notes = `  - id: ${publicUrl}/notes
    name: Notes
    scopes: { notes:read: See notes }
    issuers: ["${TEST_ISSUER}"]
`
    const route = `  - { id: notes, path: /notes, resource: "${publicUrl}/notes", upstream: "${photos}", rules: [{ methods: [read], scopes: [notes:read] }] }
  - { id: open, path: /open, public: true, upstream: "${photos}" }
`
    const settings = `${listen}\nmanagement: 127.0.0.1:0\nworkers: 2\n${issuer}`
    return photosFile(publicUrl, photos, settings).replace('routes:\n', `${notes}routes:\n`) + route
  }

  /** One request on a connection of its own. */
  function ask(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answered> {
    return new Promise((resolve, reject) => {
      const request = get(`${publicUrl}${path}`, { agent: new Agent(), headers }, (answer) => {
        let text = ''
        answer.on('data', (chunk) => {
          text += chunk
        })
        answer.on('end', () => {
          const problem = answer.statusCode === 200 ? undefined : JSON.parse(text)
          const id: string = problem?.request_id ?? text
          resolve({ status: answer.statusCode ?? 0, reason: problem?.reason, worker: id.split('-')[0] ?? '' })
        })
        answer.on('error', reject)
      })
      request.on('error', reject)
    })
  }

  const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
  const askOften = (path: string, headers = {}) => Promise.all(Array.from({ length: 12 }, () => ask(path, headers)))
  const outcomes = (answers: readonly Answered[]) => [
    ...new Set(answers.map(({ status, reason }) => (reason === undefined ? `${status}` : `${status} ${reason}`))),
  ]
  const workersIn = (answers: readonly Answered[]) => new Set(answers.map(({ worker }) => worker)).size
  const listening = () => serving.log().flatMap(({ event, pid }) => (event === 'worker.listening' ? [Number(pid)] : []))

  function isAlive(pid: number): boolean {
    try {
      return process.kill(pid, 0)
    } catch {
      return false
    }
  }

  async function person(clientId = 'app'): Promise<string> {
    return signIn(publicUrl, publicUrl, clientId)
  }

  it('both serve, on many connections; a person signs in through them', async () => {
    await addPeople(serving.folder)
    const answers = await askOften('/photos/1', bearer(await person()))
    assert.deepEqual(outcomes(answers), ['200'])
    assert.equal(workersIn(answers), 2)
  })

  it('a revocation by command refuses in every worker within a second, and closes open tunnels', async () => {
    await addPeople(serving.folder)
    const [token, other] = [await person(), await person('other')]
    assert.deepEqual(outcomes(await askOften('/photos/1', bearer(token))), ['200'])
    const tunnels = [1, 2].map(() => {
      const socket = connect(Number(new URL(publicUrl).port), '127.0.0.1')
      socket.write(
        `GET /photos/live HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
      )
      return socket
    })
    for (const [head] of await Promise.all(tunnels.map((socket) => once(socket, 'data'))))
      assert.match(String(head), /^HTTP\/1\.1 101 /)
    const closed = Promise.all(tunnels.map((socket) => once(socket, 'close')))
    await command(serving.folder, ['revoke', '--client', 'app'])
    const isRefused = async () => {
      const answers = await askOften('/photos/1', bearer(token))
      return workersIn(answers) === 2 && outcomes(answers).join() === '401 revoked'
    }
    await until(isRefused, 'refused in both', 1_000)
    await closed
    assert.deepEqual(outcomes(await askOften('/photos/1', bearer(other))), ['200'])
  })

  it('a worker that comes later knows what was revoked before', async () => {
    await addPeople(serving.folder)
    const token = await person()
    await command(serving.folder, ['revoke', '--client', 'app'])
    const before = listening()
    for (const pid of before) process.kill(pid, 'SIGKILL')
    await until(() => listening().length >= 4, 'two new ones', 10_000)
    const answers = await askOften('/photos/1', bearer(token))
    assert.deepEqual(outcomes(answers), ['401 revoked'])
  })

  it('saving a file that narrows holds in every worker; a bad one changes nothing', async () => {
    await addPeople(serving.folder)
    const token = await person()
    const save = (text: string) => writeFileSync(join(serving.folder, 'routes.yaml'), text)
    save(yaml.replace('{ methods: [read], scopes: [photos:read] }', '{ methods: [read], scopes: [photos:write] }'))
    await until(() => serving.log().some(({ event }) => event === 'reload'), 'the reload')
    const answers = await askOften('/photos/1', bearer(token))
    assert.deepEqual(outcomes(answers), ['403 insufficient_scope'])
    assert.equal(workersIn(answers), 2)
    assert.equal(serving.log().filter(({ event }) => event === 'reload').length, 1, 'said once')
    save(yaml.replace('path: /photos', 'path: photos'))
    await until(() => serving.log().some(({ event }) => event === 'reload.refused'), 'the refusal')
    assert.deepEqual(outcomes(await askOften('/photos/1', bearer(token))), ['403 insufficient_scope'])
  })

  it('a save while another is being put in force is not lost', async () => {
    const second = `  - { id: second, path: /second, public: true, upstream: "http://127.0.0.1:9" }\n`
    for (let i = 0; i < 4; i += 1) {
      for (const [text, status] of [
        [`${yaml}${second}`, 502],
        [yaml, 404],
      ] as const) {
        writeFileSync(join(serving.folder, 'routes.yaml'), text)
        await until(async () => (await ask('/second/a')).status === status, `${status}`)
      }
    }
  })

  it('a worker that is killed loses its own requests only, and another takes its place', async () => {
    const slow = Array.from({ length: 6 }, () => rawText(Number(new URL(publicUrl).port), '/open/slow'))
    await until(() => held.length === 6, 'six under way')
    const [first = 0] = listening()
    process.kill(first, 'SIGKILL')
    await until(() => listening().length === 3, 'a new worker', PROCESS_START_MS)
    assert.ok(serving.log().some(({ event, pid, signal }) => event === 'worker.ended' && pid === first && signal))
    assert.deepEqual(outcomes(await askOften('/open/1')), ['200'])
    assert.equal(workersIn(await askOften('/open/1')), 2)
    for (const request of held) request.socket.emit('end-it')
    const whole = (await Promise.all(slow)).filter((text) => text.includes('and done')).length
    const byWorker = Map.groupBy(held, ({ headers }) => String(headers['x-request-id']).split('-')[0])
    assert.equal(byWorker.size, 2)
    assert.ok(
      [...byWorker.values()].some(({ length }) => length === whole),
      'all of the other worker',
    )
  })

  it('RFC 9449 §11.1: a proof counts once over all workers', async () => {
    const claims = { aud: `${publicUrl}/notes`, scope: 'notes:read', cnf: { jkt: key.jkt } }
    const token = mintToken(key, { claims })
    for (let round = 0; round < 3; round += 1) {
      const proof = mintProof(key, { token, url: `${publicUrl}/notes/1` })
      const answers = await askOften('/notes/1', { authorization: `DPoP ${token}`, dpop: proof })
      assert.equal(workersIn(answers), 2)
      assert.equal(answers.filter(({ status }) => status === 200).length, 1)
      assert.equal(answers.filter(({ reason }) => reason === 'not_bound').length, 11)
    }
  })

  it('/metrics shows one sum, over workers that have ended too', async () => {
    const counted = async () => {
      const text = await (await fetch(`${serving.managementUrl}/metrics`)).text()
      return Number(/^audgate_requests_total\{[^}]*route="open"[^}]*\} (\d+)$/m.exec(text)?.[1])
    }
    await askOften('/open/1')
    assert.equal(await counted(), 12)
    const [first = 0] = listening()
    process.kill(first, 'SIGKILL')
    await until(() => listening().length === 3, 'a new worker', PROCESS_START_MS)
    await askOften('/open/1')
    assert.equal(await counted(), 24)
  })

  it('SIGTERM: what is under way finishes, all processes end, exit 0', async () => {
    const slow = rawText(Number(new URL(publicUrl).port), '/open/slow')
    await until(() => held.length === 1, 'one under way')
    serving.signal('SIGTERM')
    await until(async () => (await fetch(`${serving.managementUrl}/readyz`)).status === 503, 'unready')
    for (const request of held) request.socket.emit('end-it')
    assert.match(await slow, /and done/)
    assert.equal((await serving.ended()).code, 0)
    assert.deepEqual(listening().filter(isAlive), [])
  })

  it('a signal to the whole group ends nothing but in order', async () => {
    const slow = rawText(Number(new URL(publicUrl).port), '/open/slow')
    await until(() => held.length === 1, 'one under way')
    for (const pid of listening()) process.kill(pid, 'SIGTERM')
    serving.signal('SIGTERM')
    await until(() => serving.log().some(({ event }) => event === 'shutdown'), 'it has heard')
    for (const request of held) request.socket.emit('end-it')
    assert.match(await slow, /and done/)
    assert.equal((await serving.ended()).code, 0)
  })

  it('workers whose primary vanished end by themselves, and leave nothing behind', async () => {
    await serving.remove()
    const temporary = join(folder, 'temporary')
    mkdirSync(temporary)
    serving = await serve(yaml, { TMPDIR: temporary })
    assert.equal(readdirSync(temporary).length, 1)
    const pids = listening()
    assert.equal(pids.filter(isAlive).length, 2)
    serving.signal('SIGKILL')
    await until(() => pids.filter(isAlive).length === 0, 'all gone')
    assert.deepEqual(readdirSync(temporary), [], 'the socket of the primary too')
  })

  it('a port that is taken is one line and exit 2, and nothing is left running', async () => {
    const second = await serve(yaml.replace(/management: .*/, ''))
    const { code, stderr } = await second.ended()
    assert.equal(code, 2)
    assert.match(stderr, /^listen: 127\.0\.0\.1:\d+ is taken: .*\n$/)
    await second.remove()
  })

  it('secrets of the issuer stay out of workers', async () => {
    await serving.remove()
    serving = await serve(yaml, { AUDGATE_SECRET: 'a secret for tests that is long enough' })
    for (const pid of listening()) {
      assert.doesNotMatch(readFileSync(`/proc/${pid}/environ`, 'utf8'), /AUDGATE_SECRET/)
    }
  })

  it('people who sign in side by side don’t keep photos waiting', async () => {
    await addPeople(serving.folder)
    const token = await person()
    await askOften('/photos/1', bearer(token))
    const state = { done: false }
    const signIns = Promise.all(Array.from({ length: 10 }, () => person())).finally(() => {
      state.done = true
    })
    const times: number[] = []
    while (!state.done) {
      const began = performance.now()
      assert.equal((await ask('/photos/1', bearer(token))).status, 200)
      times.push(performance.now() - began)
    }
    await signIns
    const median = times.sort((a, b) => a - b)[times.length >> 1] ?? Number.POSITIVE_INFINITY
    assert.ok(median < 100, `the median photo took ${median} ms`)
  })
})

/** Everything that comes for a GET until the connection ends. */
function rawText(port: number, path: string): Promise<string> {
  return rawRequest(port, `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`).then(({ text }) => text)
}
