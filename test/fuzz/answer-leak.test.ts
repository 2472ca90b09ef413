import assert from 'node:assert/strict'
import { connect, createServer, type Socket } from 'node:net'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import { startGateway, type TestGateway, yamlOf } from '../support/gateway-under-test.ts'
import { listenOnLoopback } from '../support/upstreams.ts'

/** Stands for the request that is answered, in whatever the upstream says. */
const OWN = '\u00a7'
const OK = 'HTTP/1.1 200 OK\r\n'

const fragment = fc.constantFrom(
  ...[
    `${OK}Content-Length: 3\r\n\r\n${OWN}`,
    `${OK}Content-Length: 0\r\n\r\n`,
    `${OK}Transfer-Encoding: chunked\r\n\r\n3\r\n${OWN}\r\n0\r\n\r\n`,
  ],
  ...[
    'HTTP/1.1 204 No Content\r\n\r\n',
    'HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n',
    'HTTP/1.1 100 Continue\r\n\r\n',
  ],
  ...[
    `HTTP/1.1 103 Early Hints\r\nLink: <${OWN}>\r\n\r\n`,
    `HTTP/1.0 200 OK\r\n\r\n${OWN}`,
    `HTTP/1.1 101 Now\r\nUpgrade: x\r\n\r\n${OWN}`,
  ],
  ...[
    `${OK}Content-Length: 5\r\n\r\n${OWN}`,
    `${OK}Content-Length: 1\r\n\r\n${OWN}`,
    `${OK}X: ${OWN}\r\n\r\n`,
    `${OK}Connection: close\r\nContent-Length: 3\r\n\r\n${OWN}`,
  ],
  ...[
    OWN,
    '\r\n',
    '\r\n\r\n',
    '0\r\n\r\n',
    '3\r\n',
    'HTTP/1.1 ',
    '\n',
    '\0',
    `${OK}A : b\r\n\r\n`,
    `${OK}Content-Length: 3\r\nContent-Length: 4\r\n\r\n${OWN}`,
  ],
  ...[
    `${OK}Content-Length: 003\r\n\r\n${OWN}`,
    `${OK}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n3\r\n${OWN}\r\n0\r\n\r\n`,
  ],
)
const saying = fc.record({
  text: fc.array(fragment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('')),
  end: fc.boolean(),
  method: fc.constantFrom('GET', 'HEAD', 'POST', 'DELETE'),
})

let gateway: TestGateway
const sockets = new Set<Socket>()
/** What the upstream says to a request, by its number. */
const script = new Map<string, { readonly text: string; readonly end: boolean }>()

const upstream = createServer((socket) => {
  sockets.add(socket)
  socket.on('error', () => undefined)
  socket.on('close', () => sockets.delete(socket))
  socket.on('data', (data) => {
    for (const [, id = ''] of data.toString('latin1').matchAll(/^[A-Z]+ \/(Z\w\w) HTTP/gm)) {
      const said = script.get(id)
      if (said === undefined) continue
      socket.write(said.text.replaceAll(OWN, id), 'latin1')
      if (said.end) socket.end()
    }
  })
})

before(async () => {
  const port = await listenOnLoopback(upstream)
  gateway = await startGateway({
    yaml: yamlOf(`\n  - { id: open, path: /, public: true, upstream: "http://127.0.0.1:${port}" }`),
  })
})
after(async () => {
  await gateway.close()
  for (const socket of sockets) socket.destroy()
  upstream.close()
})

/** One client: a request over a connection of its own, until the gateway closes it or is silent. */
function answerTo(id: string, method: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(gateway.port, '127.0.0.1')
    let text = ''
    socket.on('data', (data) => {
      text += data.toString('latin1')
    })
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(text))
    socket.setTimeout(40, () => socket.destroy())
    socket.write(`${method} /${id} HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n\r\n`)
  })
}

describe('whatever an upstream says to one request', () => {
  it('no other client gets a byte of it', async () => {
    const told = { answered: 0, next: 0 }
    const clients = fc.array(fc.array(saying, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 3 })
    await fc.assert(
      fc.asyncProperty(clients, async (all) => {
        const run = async (sayings: readonly { text: string; end: boolean; method: string }[]): Promise<void> => {
          for (const { text, end, method } of sayings) {
            told.next += 1
            const id = `Z${(100 + (told.next % 1_000)).toString(36).toUpperCase()}`
            script.set(id, { text, end })
            const answer = await answerTo(id, method)
            if (answer.includes(id)) told.answered += 1
            const own = answer.replace(/^x-request-id:.*$|"request_id":"[^"]*"/gim, '')
            assert.deepEqual(
              (own.match(/Z[0-9A-Z]{2}/g) ?? []).filter((each) => each !== id),
              [],
              answer,
            )
          }
        }
        await Promise.all(all.map(run))
      }),
      { numRuns: 120 },
    )
    assert.ok(told.answered > 50, `${told.answered} answers were heard`)
  })
})
