import assert from 'node:assert/strict'
import { createServer, type Socket } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { photosRoute, startGateway, type TestGateway, yamlOf } from '../../support/gateway-under-test.ts'
import { rawRequest } from '../../support/upstreams.ts'

const PLANTED = 'Set-Cookie: audgate_session=planted; Path=/\r\nset-cookie: __Host-audgate_session=planted\r\n'
const KEPT = 'Set-Cookie: app=1; Path=/\r\n'

/** An upstream that plants cookies wherever an answer may have fields. */
function answerTo(head: string): string {
  if (/^upgrade:/im.test(head)) {
    return `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${PLANTED}${KEPT}\r\n`
  }
  const early = `HTTP/1.1 103 Early Hints\r\n${PLANTED}Link: </a>; rel=preload\r\n\r\n`
  const body = `2\r\nok\r\n0\r\n${PLANTED}X-Sum: 1\r\n\r\n`
  if (head.startsWith('GET /photos/chunked'))
    return `${early}HTTP/1.1 200 OK\r\n${PLANTED}${KEPT}Trailer: Set-Cookie, X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n${body}`
  return `HTTP/1.1 200 OK\r\n${PLANTED}${KEPT}Content-Length: 2\r\n\r\nok`
}

describe('the gateway\u2019s own cookies', () => {
  const heads: string[] = []
  const sockets = new Set<Socket>()
  const upstream = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      const head = chunk.toString('latin1')
      heads.push(head)
      socket.write(answerTo(head))
      if (/^upgrade:/im.test(head)) socket.end()
    })
  })
  let gateway: TestGateway
  before(async () => {
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
    const address = upstream.address()
    const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
    const routes = `${photosRoute(url, '    public: [/share/**]')}
  - { id: open, path: /open, public: true, upstream: "${url}" }`
    gateway = await startGateway({ yaml: yamlOf(routes) })
  })
  after(async () => {
    await gateway.close()
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => upstream.close(resolve))
  })

  const cases: readonly (readonly [string, string])[] = [
    ['/photos/a', ''],
    ['/photos/share/a', ''],
    ['/open/a', ''],
    ['/photos/chunked', 'TE: trailers\r\nConnection: close\r\n'],
    ['/photos/socket', 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n'],
  ]
  for (const [path, fields] of cases) {
    it(`neither reach the upstream of ${path} nor come from it`, async () => {
      heads.length = 0
      const cookies = 'Cookie: a=1; audgate_session=secret; b="2"\r\nCookie: __Host-audgate_session=secret\r\n'
      const token = `Authorization: Bearer ${gateway.token()}\r\n`
      const { text } = await rawRequest(
        gateway.port,
        `GET ${path} HTTP/1.1\r\nHost: gate.example.com\r\n${token}${cookies}${fields}\r\n`,
      )
      assert.equal(heads.length, 1, text)
      assert.doesNotMatch(heads[0] ?? '', /audgate_|secret/i)
      assert.match(heads[0] ?? '', /\r\nCookie: a=1; b="2"\r\n/)
      assert.doesNotMatch(text, /planted/)
      assert.match(text, /\r\nSet-Cookie: app=1; Path=\/\r\n/)
    })
  }
})
