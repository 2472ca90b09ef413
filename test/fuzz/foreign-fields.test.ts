import assert from 'node:assert/strict'
import { connect, createServer, type Socket } from 'node:net'
import { after, before, describe, it, type TestContext } from 'node:test'
import fc from 'fast-check'
import { photosRoute, startGateway, type TestGateway, yamlOf } from '../support/gateway-under-test.ts'
import { listenOnLoopback } from '../support/upstreams.ts'
import { asVariable, foreignName, neutralName, neverName, SAID_ONCE, trailerName } from './foreign-names.ts'

/** Everything that an upstream got, and what it answers: by the number in a request's path. */
const got = { bytes: '' }
const script = new Map<string, string>()
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const sockets = new Set<Socket>()

const upstream = createServer((socket) => {
  let unread = ''
  sockets.add(socket)
  socket.on('error', () => undefined)
  socket.on('close', () => sockets.delete(socket))
  socket.on('data', (data) => {
    got.bytes += data.toString('latin1')
    unread += data.toString('latin1')
    for (let end = endOfRequest(unread); end !== undefined; end = endOfRequest(unread)) {
      const number = /^\S+ \S*\/(\d+)/.exec(unread)?.[1] ?? ''
      unread = unread.slice(end)
      socket.write(script.get(number) ?? OK, 'latin1')
    }
  })
})

/** Where the first whole request ends. */
function endOfRequest(text: string): number | undefined {
  const head = text.indexOf('\r\n\r\n')
  if (head === -1) return undefined
  if (!/^transfer-encoding:/im.test(text.slice(0, head))) return head + 4
  const last = text.indexOf('\r\n0\r\n', head)
  const end = text.indexOf('\r\n\r\n', last)
  return last === -1 || end === -1 ? undefined : end + 4
}

let stranger: TestGateway
let trusting: TestGateway
before(async () => {
  const url = `http://127.0.0.1:${await listenOnLoopback(upstream)}`
  const routes = `${photosRoute(url, '    headers: { X-Tenant: claim:tenant }\n    set_headers: { X-Api-Key: ours }')}
  - { id: open, path: /open, public: true, upstream: "${url}", strip_headers: [X-Session-Key] }
  - { id: cut, path: /cut, strip_path: true, public: true, upstream: "${url}" }`
  stranger = await startGateway({ yaml: yamlOf(routes) })
  trusting = await startGateway({ yaml: yamlOf(routes, 'trusted_proxies: [127.0.0.0/8]') })
})
after(async () => {
  await stranger.close()
  await trusting.close()
  for (const socket of sockets) socket.destroy()
  upstream.close()
})

/**
 * All that is answered on one connection to these pieces, each written when the system has the one before, until the gateway ends it: behind the
 * first bytes of an answer the connection is asked a last time, so that a request that came alone may take the fast path.
 */
function conversation(port: number, pieces: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    let text = ''
    const asked = { whole: false, last: false }
    const askLast = (): void => {
      if (!asked.whole || asked.last || text === '') return
      asked.last = true
      socket.write(LAST)
    }
    const timer = setTimeout(() => reject(new Error(`it never ended: ${JSON.stringify([pieces, text])}`)), 20_000)
    socket.on('error', () => undefined)
    socket.on('data', (data) => {
      text += data.toString('latin1')
      askLast()
    })
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(text)
    })
    const next = (at: number): void => {
      const piece = pieces[at]
      asked.whole = piece === undefined
      if (piece !== undefined && !socket.destroyed) socket.write(piece, 'latin1', () => setImmediate(next, at + 1))
      else askLast()
    }
    next(0)
  })
}

const LAST = 'GET /open/last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
const count = { next: 0 }

type Line = { readonly text: string; readonly kept?: string }
const gap = fc.constantFrom(': ', ':', ':\t', ': \t ')
const neutral: fc.Arbitrary<Line> = fc
  .tuple(neutralName, gap, fc.nat(9_999))
  .map(([name, colon, n]) => ({ text: `${name}${colon}kept-${n}\r\n`, kept: `${name}: kept-${n}` }))
const control: fc.Arbitrary<Line> = fc
  .constantFrom(
    ...['Connection: X-Auth-Username, X-Forwarded-For, Via', 'Connection: Host, X-Api-Key', 'Connection: keep-alive'],
    ...['TE: trailers', 'Trailer: X-Auth-Username', 'Expect: 100-continue', 'Cookie: a=b', 'Upgrade: websocket'],
    ...['X-Empty:', 'X-One: \x80\xff', 'Proxy-Connection: keep-alive'],
  )
  .map((text) => ({ text: `${text}\r\n` }))

function lineOf(name: fc.Arbitrary<string>): fc.Arbitrary<Line> {
  return fc.oneof(
    fc.tuple(name, gap).map(([field, colon]) => ({ text: `${field}${colon}forged\r\n` })),
    // What ends one line for some reader, or goes on with the one before.
    fc
      .tuple(fc.constantFrom('\n', '\r', '\r\n ', '\r\n\t', '\0', '\x0b', '\r\r\n'), name)
      .map(([end, field]) => ({ text: `X-Long: a${end}${field}: forged\r\n` })),
  )
}

function requests(name: fc.Arbitrary<string>) {
  const foreign = lineOf(name)
  return fc.record({
    method: fc.constantFrom('GET', 'GET', 'GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PROPFIND'),
    place: fc.constantFrom('/photos', '/open', '/cut/sub'),
    version: fc.constantFrom('1.1', '1.1', '1.1', '1.0'),
    lines: fc.array(fc.oneof({ weight: 3, arbitrary: foreign }, { weight: 2, arbitrary: neutral }, control), {
      maxLength: 8,
    }),
    trailers: fc.option(fc.array(fc.oneof(foreign, neutral), { maxLength: 4 })),
    cut: fc.option(fc.nat(400)),
  })
}

type Asked = ReturnType<typeof requests> extends fc.Arbitrary<infer One> ? One : never

function bytesOf({ method, place, version, lines, trailers }: Asked, token: string, number: number): string {
  const body = trailers !== null && version === '1.1' && method !== 'GET' && method !== 'HEAD'
  const framing = body ? 'Transfer-Encoding: chunked\r\n' : ''
  const authorization = place === '/photos' ? `Authorization: Bearer ${token}\r\n` : ''
  const head = `${method} ${place}/${number} HTTP/${version}\r\nHost: x\r\n${framing}${lines.map(({ text }) => text).join('')}${authorization}\r\n`
  return body ? `${head}3\r\nabc\r\n0\r\n${trailers.map(({ text }) => text).join('')}\r\n` : head
}

function run(title: string, gateway: () => TestGateway, name: fc.Arbitrary<string>): void {
  it(title, async (t: TestContext) => {
    const seed = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31))
    t.diagnostic(`seed ${seed}`)
    const token = gateway().token({ claims: { scope: 'photos:read photos:write' } })
    const told = { passed: 0, refused: 0 }
    await fc.assert(
      fc.asyncProperty(requests(name), async (asked) => {
        const number = ++count.next
        const bytes = bytesOf(asked, token, number)
        const cut = asked.cut === null ? bytes.length : asked.cut % bytes.length
        got.bytes = ''
        const answer = await conversation(gateway().port, [bytes.slice(0, cut), bytes.slice(cut)].filter(Boolean))
        assert.ok(!got.bytes.includes('forged'), got.bytes)
        const head = got.bytes.split('\r\n\r\n').find((each) => each.split('\r\n', 1)[0]?.includes(`/${number} `))
        told[head === undefined ? 'refused' : 'passed'] += 1
        if (head === undefined) assert.match(answer, /^HTTP\/1\.1 (?:100 Continue\r\n\r\nHTTP\/1\.1 )?400 /)
        else assertWhole(asked, head)
      }),
      { numRuns: Number(process.env.FUZZ_RUNS ?? 250), seed },
    )
    assert.ok(told.passed > told.refused / 4 && told.refused > 0, JSON.stringify(told))
  })
}

/** What nobody minds has come once, as it was sent, and what is ours stands once under each variable's name. */
function assertWhole({ place, lines }: Asked, head: string): void {
  const arrived = head.split('\r\n').slice(1)
  for (const { kept } of lines) if (kept !== undefined) assert.ok(arrived.includes(kept), `${kept}\n${head}`)
  const variables = arrived.map((line) => asVariable(line.slice(0, line.indexOf(':'))))
  for (const ours of SAID_ONCE) {
    const times = variables.filter((each) => each === asVariable(ours)).length
    const wanted = place === '/photos' || !/^X-A(?:uth|pi)-/.test(ours) ? 1 : 0
    assert.equal(times, wanted, `${ours}\n${head}`)
  }
}

describe('a field that names another path, host, method or person, however CGI programs would find its name', () => {
  run('gets to no upstream from a stranger: in no head, behind no line, in no trailer', () => stranger, foreignName)
  run('gets to none from a trusted proxy where it is never anybody’s', () => trusting, neverName)
})

const PLANTED = [
  ...['Set-Cookie: audgate_session=planted', 'set-cookie: __Host-audgate_web=planted; Path=/', 'Keep-Alive: planted'],
  ...[
    'Set-Cookie: __Secure-Audgate_flow=planted',
    'Set-Cookie: %61udgate_x=planted',
    'SET-COOKIE: a=b, audgate_y=planted',
  ],
  ...['Set-Cookie: =audgate_session=planted', 'Proxy-Authenticate: planted', 'Proxy-Authentication-Info: planted'],
  ...['Connection: X-Named\r\nX-Named: planted', 'x-named: planted\r\nConnection: keep-alive, X-Named', 'TE: planted'],
  ...['Upgrade: planted', 'Alt-Svc: planted', 'WWW-Authenticate: NTLM planted', 'www-authenticate: Negotiate planted'],
  ...['Persistent-Auth: planted', 'Proxy-Connection: planted', 'Public-Key-Pins: planted', 'Expect-CT: planted'],
]
const planted: fc.Arbitrary<Line> = fc.constantFrom(...PLANTED).map((text) => ({ text: `${text}\r\n` }))
const answerLines = fc.array(fc.oneof(planted, neutral), { maxLength: 6 })
const plantedTrailer = trailerName.map((name): Line => ({ text: `${name}: planted\r\n` }))

const answers = fc.record({
  method: fc.constantFrom('GET', 'GET', 'HEAD', 'POST'),
  place: fc.constantFrom('/photos', '/open', '/cut/sub'),
  /** What leaves the fast path's way of reading for node's. */
  slowly: fc.boolean(),
  early: fc.array(fc.tuple(fc.constantFrom(100, 102, 103, 110, 199), answerLines), { maxLength: 3 }),
  status: fc.constantFrom(200, 201, 206, 404, 503),
  lines: answerLines,
  chunked: fc.boolean(),
  trailers: fc.array(fc.oneof(plantedTrailer, neutral), { maxLength: 6 }),
})

type Answered = typeof answers extends fc.Arbitrary<infer One> ? One : never

function said({ method, early, status, lines, chunked, trailers }: Answered): string {
  const text = (all: readonly Line[]): string => all.map((line) => line.text).join('')
  const before = early.map(([code, fields]) => `HTTP/1.1 ${code} Early\r\n${text(fields)}\r\n`).join('')
  const framing = chunked ? 'Transfer-Encoding: chunked\r\n' : 'Content-Length: 5\r\n'
  const body = method === 'HEAD' ? '' : chunked ? `5\r\nhello\r\n0\r\n${text(trailers)}\r\n` : 'hello'
  return `${before}HTTP/1.1 ${status} Said\r\n${text(lines)}${framing}\r\n${body}`
}

/** What nobody minds, in the order in which it was said, as one expression for the answer that comes. */
function expected({ method, early, status, lines, chunked, trailers }: Answered): RegExp {
  const literal = (text: string): string => text.replace(/[^a-z0-9]/gi, '\\$&')
  const kept = (all: readonly Line[]): string =>
    all
      .flatMap((line) => (line.kept === undefined ? [] : `${literal(line.kept).replace('\\ ', '[\\t ]*')}\r\n`))
      .join('(?:[^\r\n]+\r\n)*?')
  const head = (code: number, fields: readonly Line[]): string =>
    `HTTP\\/1\\.1 ${code} (?:Early|Said)\r\n(?:[^\r\n]+\r\n)*?${kept(fields)}(?:[^\r\n]+\r\n)*?\r\n`
  const before = early.filter(([code]) => code !== 100).map(([code, fields]) => head(code, fields))
  const body = method === 'HEAD' ? '' : chunked ? `5\r\nhello\r\n0\r\n${kept(trailers)}\r\n` : 'hello'
  return new RegExp(`^${before.join('')}${head(status, lines)}${body}HTTP\\/1\\.1 200 `)
}

describe('what an upstream may not say', () => {
  it('gets to no client, in 1xx, head or trailer, and all else does in its order', async (t: TestContext) => {
    const seed = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31))
    t.diagnostic(`seed ${seed}`)
    const token = stranger.token({ claims: { scope: 'photos:read photos:write' } })
    await fc.assert(
      fc.asyncProperty(answers, async (answered) => {
        const { method, place, slowly } = answered
        const number = ++count.next
        script.set(String(number), said(answered))
        const fields = `Host: x\r\n${slowly ? 'Content-Length: 0\r\n' : ''}Authorization: Bearer ${token}\r\n`
        const request = `${method} ${place}/${number} HTTP/1.1\r\n${fields}\r\n`
        const answer = await conversation(stranger.port, [request])
        script.delete(String(number))
        assert.ok(!answer.includes('planted'), answer)
        assert.match(answer, expected(answered))
      }),
      { numRuns: Number(process.env.FUZZ_RUNS ?? 250), seed },
    )
  })
})
