import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer as createH2cServer, createSecureServer } from 'node:http2'
import { createServer as createTcpServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import { startGateway, type TestGateway, until, yamlOf } from '../../support/gateway-under-test.ts'
import { listenOnLoopback, rawRequest } from '../../support/upstreams.ts'

const folder = mkdtempSync(join(tmpdir(), 'audgate-causes-'))

/** A certificate that nobody vouches for. */
function selfSigned(): { readonly cert: string; readonly key: string } {
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
  execFileSync('openssl', ['req', ...kind, '-keyout', key, '-out', cert, ...subject], { stdio: 'ignore' })
  return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') }
}

const saying = (text: string) => createTcpServer((socket) => socket.on('data', () => socket.end(text, 'latin1')))
const OK = 'HTTP/1.1 200 OK\r\n'

const keys = selfSigned()
/** What stands at the other end, the scheme it is taken for, the reason and the cause that the log must give. */
const UPSTREAMS: Readonly<Record<string, readonly [Server, string, string, RegExp]>> = {
  untrusted: [createTlsServer(keys), 'https', 'upstream_refused', /DEPTH_ZERO_SELF_SIGNED_CERT: .*self-signed/],
  http: [createHttpServer(), 'https', 'upstream_refused', /0A0\w+: it does not speak TLS/],
  tls: [createTlsServer(keys), 'http', 'upstream_', /is it https\?|ended without an answer|ECONNRESET/],
  h2: [createSecureServer(keys), 'https', 'upstream_refused', /0A000460: .*HTTP\/2/],
  h2c: [createH2cServer(), 'http', 'upstream_protocol', /HTTP\/2/],
  ssh: [saying('SSH-2.0-OpenSSH_9.2\r\n'), 'http', 'upstream_protocol', /SSH/],
  status: [
    saying('HTTP/1.1 2OO OK\r\n\r\n'),
    'http',
    'upstream_protocol',
    /status line is malformed: "HTTP\/1.1 2OO OK"/,
  ],
  field: [saying(`${OK}A : secret\r\n\r\n`), 'http', 'upstream_protocol', /field line is malformed: "A :"$/],
  length: [saying(`${OK}Content-Length: 5x\r\n\r\n`), 'http', 'upstream_protocol', /Content-Length .*"5x"/],
  chunks: [saying(`${OK}Transfer-Encoding: chunked\r\n\r\nxyz\r\n`), 'http', 'upstream_protocol', /chunked framing/],
  both: [
    saying(`${OK}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`),
    'http',
    'upstream_protocol',
    /Content-Length/,
  ],
  resets: [
    createTcpServer((socket) => socket.on('data', () => socket.resetAndDestroy())),
    'http',
    'upstream_reset',
    /ECONNRESET/,
  ],
  silent: [saying(''), 'http', 'upstream_reset', /ended without an answer/],
}

describe('the log says why an upstream failed', () => {
  let gateway: TestGateway
  const sockets = new Set<Socket>()
  const route = (id: string, url: string): string =>
    `\n  - { id: ${id}, path: /${id}, public: true, upstream: "${url}" }`

  before(async () => {
    const routes = [route('refused', 'http://127.0.0.1:1'), route('unknown', 'http://nowhere.invalid')]
    for (const [id, [server, scheme]] of Object.entries(UPSTREAMS)) {
      server.on('connection', (socket) => sockets.add(socket.on('error', () => undefined)))
      server.on('tlsClientError', () => undefined)
      routes.push(route(id, `${scheme}://localhost:${await listenOnLoopback(server)}`))
    }
    gateway = await startGateway({ yaml: yamlOf(routes.join('')) })
  })
  after(async () => {
    await gateway.close()
    for (const socket of sockets) socket.destroy()
    for (const [server] of Object.values(UPSTREAMS)) server.close()
    rmSync(folder, { recursive: true })
  })

  const causes: readonly (readonly [string, string, RegExp])[] = [
    ['refused', 'upstream_refused', /127\.0\.0\.1:1: ECONNREFUSED: nothing listens there/],
    ['unknown', 'upstream_refused', /nowhere\.invalid.*: (ENOTFOUND|EAI_AGAIN): the name/],
    ...Object.entries(UPSTREAMS).map(([id, [, , reason, cause]]) => [id, reason, cause] as const),
  ]
  const UPGRADE = 'Connection: Upgrade\r\nUpgrade: websocket\r\n'
  for (const [id, reason, cause] of causes) {
    for (const [kind, fields] of [
      ['request', 'Connection: close\r\n'],
      ['upgrade', UPGRADE],
    ] as const) {
      it(`${id}, for a ${kind}; the client learns nothing of it`, async () => {
        const path = `/${id}/${kind}`
        const answer = await rawRequest(gateway.port, `GET ${path} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`)
        assert.equal(answer.status, 502)
        assert.doesNotMatch(answer.text, /ECONN|ERR_|CERT|malformed|127\.0|localhost|nowhere/)
        const line = () => gateway.requests().find((each) => each.path === path)
        await until(() => line() !== undefined, 'it is logged')
        assert.equal(line()?.status, 502)
        assert.match(String(line()?.reason), new RegExp(`^${reason}`))
        assert.match(String(line()?.cause), cause)
      })
    }
  }
})
