import assert from 'node:assert/strict'
import { connect, createServer, type Socket } from 'node:net'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import { startGateway, type TestGateway, until, yamlOf } from '../support/gateway-under-test.ts'
import { listenOnLoopback } from '../support/upstreams.ts'

/** A request as a forgiving reader of bytes understands it. */
interface ReadRequest {
  readonly head: string
  readonly bytes: number
}

/** What an upstream that trusts its proxy reads: any number that parseInt takes, the first of several. 'part': more has to come. */
function readOne(text: string): ReadRequest | 'part' | undefined {
  if (text === '') return undefined
  const end = text.indexOf('\r\n\r\n')
  if (end === -1) return 'part'
  const head = text.slice(0, end + 2)
  const from = end + 4
  if (/^transfer-encoding:/im.test(head)) {
    const last = /(?:^|\r\n)0\r\n\r\n/.exec(text.slice(from))
    return last === null ? 'part' : { head, bytes: from + last.index + last[0].length }
  }
  const length = Number.parseInt(/^content-length:[ \t]*(.*)$/im.exec(head)?.[1] ?? '0', 10)
  return text.length < from + length ? 'part' : { head, bytes: from + length }
}

/** Records what comes on each connection, and answers each request that it reads. */
function recordingUpstream(connections: Map<Socket, string>) {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    let unread = ''
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
    socket.on('data', (data) => {
      connections.set(socket, (connections.get(socket) ?? '') + data.toString('latin1'))
      unread += data.toString('latin1')
      for (let one = readOne(unread); typeof one === 'object'; one = readOne(unread)) {
        unread = unread.slice(one.bytes)
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
      }
    })
  })
  return { server, sockets }
}

const connections = new Map<Socket, string>()
const { server, sockets } = recordingUpstream(connections)
let gateway: TestGateway

before(async () => {
  const port = await listenOnLoopback(server)
  gateway = await startGateway({
    yaml: yamlOf(`\n  - { id: open, path: /a, public: true, upstream: "http://127.0.0.1:${port}" }`),
  })
})
after(async () => {
  await gateway.close()
  for (const socket of sockets) socket.destroy()
  server.close()
})

/** Sends pieces on one connection, each when the system has taken the one before; leaves when the gateway has ended it, or rests. */
function send(pieces: readonly string[]): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(gateway.port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.on('close', () => resolve())
    socket.resume()
    const next = (at: number): void => {
      const piece = pieces[at]
      if (piece === undefined || socket.destroyed) return void socket.setTimeout(25, () => socket.destroy())
      socket.write(piece, 'latin1', () => setImmediate(next, at + 1))
    }
    next(0)
  })
}

const SMUGGLED = 'GET /admin HTTP/1.1\r\nHost: x\r\nX-Auth-Username: root\r\n\r\n'
const SIZE = SMUGGLED.length
const LAST = 'GET /a HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n\r\n'

const length = fc.constantFrom(
  ...[
    `${SIZE}`,
    `0${SIZE}`,
    `00${SIZE}`,
    `+${SIZE}`,
    `${SIZE}.0`,
    `0x${SIZE.toString(16)}`,
    `${SIZE},${SIZE}`,
    '0',
    '00',
    '-1',
  ],
  ...[
    '9007199254740993',
    '18446744073709551678',
    `${SIZE} `,
    `\t${SIZE}`,
    ` ${SIZE} x`,
    `${SIZE}\x0b`,
    '5',
    '1',
    '',
    `"${SIZE}"`,
  ],
)
const field = fc.oneof(
  length.map((value) => `Content-Length: ${value}\r\n`),
  fc.constantFrom(
    ...['Transfer-Encoding: chunked\r\n', 'Transfer-Encoding: identity\r\n', 'Transfer-Encoding:\tchunked\r\n'],
    ...[
      'Transfer-Encoding: gzip, chunked\r\n',
      'Transfer-Encoding : chunked\r\n',
      'Transfer-Encoding\r\n : chunked\r\n',
    ],
    ...[
      `Content_Length: ${SIZE}\r\n`,
      `Content-Length : ${SIZE}\r\n`,
      `X: y\nContent-Length: ${SIZE}\r\n`,
      'Trailer: Host\r\n',
    ],
    ...[
      'Connection: Content-Length\r\n',
      'Connection: close, Transfer-Encoding\r\n',
      'Connection: Upgrade\r\n',
      'Connection: Upgrade\r\nUpgrade: h2c\r\n',
      'Connection: upgrade\r\nUpgrade: websocket\r\n',
      'TE: trailers\r\n',
    ],
    ...[
      'Upgrade: websocket\r\n',
      'Expect: 100-continue\r\n',
      'Expect: nonsense\r\n',
      'X-Request-Id: mine\r\n',
      'X: y\r\n',
    ],
  ),
)
const chunks = fc.constantFrom(
  ...[
    `${SIZE.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`,
    '0\r\n\r\n',
    `0\r\nX-Auth-Username: root\r\nContent-Length: 5\r\n\r\n`,
  ],
  ...[
    `0${SIZE.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`,
    `5 \r\nhello\r\n0\r\n\r\n`,
    `5\nhello\n0\n\n`,
    `5;a\nhello\r\n0\r\n\r\n`,
  ],
  ...[`ffffffffffffffff0\r\n`, `-1\r\n`, `5\r\nhelloX0\r\n\r\n`, `0x5\r\nhello\r\n0\r\n\r\n`],
)
const body = fc.oneof(fc.constantFrom('', SMUGGLED, 'hello', '\r\n', `${SMUGGLED}${SMUGGLED}`), chunks)
const line = fc.constantFrom(
  'GET /a HTTP/1.1',
  'POST /a HTTP/1.1',
  'PUT /a HTTP/1.1',
  'HEAD /a HTTP/1.1',
  'POST /a HTTP/1.0',
  'DELETE /a HTTP/1.1',
)
const request = fc
  .tuple(line, fc.array(field, { maxLength: 3 }), body)
  .map(([first, fields, rest]) => `${first}\r\nHost: gate\r\n${fields.join('')}\r\n${rest}`)
const conversation = fc
  .tuple(fc.array(request, { minLength: 1, maxLength: 4 }), fc.array(fc.nat(600), { maxLength: 3 }))
  .map(([requests, cuts]) => {
    const text = `${requests.join('')}${LAST}`
    const edges = [0, ...cuts.filter((cut) => cut < text.length).sort((a, b) => a - b), text.length]
    return edges.slice(1).map((edge, i) => text.slice(edges[i], edge))
  })

/** What is wrong with the bytes of one connection; undefined when all of them belong to requests that the gateway wrote. */
function foreign(bytes: string, ours: string): string | undefined {
  for (let at = 0; at < bytes.length; ) {
    const rest = bytes.slice(at)
    const one = readOne(rest)
    const head = typeof one === 'object' ? one.head : rest.slice(0, rest.indexOf('\r\n\r\n') + 2)
    const ids = head.match(/^x-request-id:.*$/gim) ?? []
    if (ids.length !== 1 || !ids[0]?.includes(`: ${ours}`)) return `no id of ours: ${rest.slice(0, 200)}`
    if (!/^[A-Z]+ \/a HTTP\/1\.1\r\n/.test(head) || /^x.auth.username/im.test(head)) return `foreign: ${head}`
    if (typeof one !== 'object') return undefined
    at += one.bytes
  }
  return undefined
}

describe('every byte that an upstream gets', () => {
  it('lies within a request that the gateway wrote, however a client frames, pipelines and cuts its own', async () => {
    await send([LAST])
    await until(() => gateway.requests().length > 0, 'the first request is logged')
    const ours = String(gateway.requests()[0]?.request_id).slice(0, 12)
    await fc.assert(
      fc.asyncProperty(fc.array(conversation, { minLength: 1, maxLength: 4 }), async (conversations) => {
        await Promise.all(conversations.map(send))
        for (const bytes of connections.values()) assert.equal(foreign(bytes, ours), undefined)
      }),
      { numRuns: 200 },
    )
    assert.ok(gateway.requests().some(({ status }) => status === 200))
    assert.ok(gateway.requests().some(({ reason }) => reason === 'malformed_request'))
  })
})
