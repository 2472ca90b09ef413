import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { pathToFileURL } from 'node:url'
import { startGateway, type TestGateway, yamlOf } from '../../support/gateway-under-test.ts'
import { listenOnLoopback, rawRequest } from '../../support/upstreams.ts'

const folder = mkdtempSync(join(tmpdir(), 'audgate-upstream-'))
const [cert, key, socket] = [join(folder, 'cert.pem'), join(folder, 'key.pem'), join(folder, 'photos.sock')]
const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
const subject = ['-subj', '/CN=photos.internal', '-addext', 'subjectAltName=DNS:photos.internal']
execFileSync('openssl', ['req', ...kind, '-keyout', key, '-out', cert, ...subject], { stdio: 'ignore' })

/** What the upstream was asked by: the name of TLS, and the Host. */
function answer(request: IncomingMessage, response: ServerResponse): void {
  const { servername } = request.socket as TLSSocket
  response.end(JSON.stringify({ servername, host: request.headers.host, keys: [] }))
}

const secure = createServer({ cert: readFileSync(cert), key: readFileSync(key) }, answer)
secure.on('tlsClientError', () => undefined)
const local = createHttpServer(answer)
let port = 0

before(async () => {
  port = await listenOnLoopback(secure)
  await new Promise<void>((resolve) => local.listen(socket, resolve))
})
after(() => {
  for (const server of [secure, local]) {
    server.close()
    server.closeAllConnections()
  }
  rmSync(folder, { recursive: true })
})

async function gatewayTo(upstream: string, more = ''): Promise<TestGateway> {
  return startGateway({ yaml: yamlOf(`\n  - { id: open, path: /, public: true, upstream: "${upstream}"${more} }`) })
}

async function ask(gateway: TestGateway) {
  try {
    const { status, body, text } = await rawRequest(
      gateway.port,
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    )
    return { status, body, text, cause: gateway.requests()[0]?.cause }
  } finally {
    await gateway.close()
  }
}

describe('upstream_tls', () => {
  const url = () => `https://localhost:${port}`

  it('believes the authorities of its file alone, by the name that it gives', async () => {
    const tls = `, upstream_tls: { ca: "${cert}", server_name: photos.internal }`
    const { status, text } = await ask(await gatewayTo(url(), tls))
    assert.equal(status, 200)
    assert.match(text, /"servername":"photos\.internal"/)
    assert.match(text, new RegExp(`"host":"localhost:${port}"`))
  })

  it('does not believe a certificate for another name', async () => {
    const { status, cause } = await ask(await gatewayTo(url(), `, upstream_tls: { ca: "${cert}" }`))
    assert.equal(status, 502)
    assert.match(String(cause), /ALTNAME/)
  })

  it('takes any certificate with verify: false, and none that is unknown without', async () => {
    assert.equal((await ask(await gatewayTo(url(), ', upstream_tls: { verify: false }'))).status, 200)
    const { status, cause } = await ask(await gatewayTo(url(), ', upstream_tls: { server_name: photos.internal }'))
    assert.equal(status, 502)
    assert.match(String(cause), /SELF_SIGNED/)
  })

  it('is a problem where it can not be meant', async () => {
    const problems: readonly (readonly [string, string, RegExp])[] = [
      ['http://localhost', ', upstream_tls: { verify: false }', /`upstream_tls` is for https upstreams/],
      [url(), ', upstream_tls: { ca: missing.pem }', /missing\.pem. does not exist/],
      [url(), `, upstream_tls: { ca: "${key}" }`, /holds no PEM certificate/],
      [url(), `, upstream_tls: { ca: "${cert}", verify: false }`, /no certificate is looked at/],
      ['http://unix:/run/a.sock', '', /a socket is written as unix:\/run\/photos\.sock/],
      ['unix:run/a.sock', '', /absolute path of a socket/],
      ['unix:/run/', '', /absolute path of a socket/],
    ]
    for (const [upstream, more, problem] of problems) await assert.rejects(gatewayTo(upstream, more), problem)
  })
})

describe('an upstream behind a unix socket', () => {
  it('is asked there, as localhost', async () => {
    const { status, text } = await ask(await gatewayTo(`unix:${socket}`))
    assert.equal(status, 200)
    assert.match(text, /"host":"localhost"/)
  })

  it('that is not there is 502, and the log says so', async () => {
    const { status, cause } = await ask(await gatewayTo(`unix:${join(folder, 'nobody.sock')}`))
    assert.equal(status, 502)
    assert.match(String(cause), /nobody\.sock: ENOENT: there is no such socket/)
  })
})

describe('every outgoing TLS connection', () => {
  // Node's own and the system's roots are read at a process's start.
  const program = `
    const [roots, file, url] = process.argv.slice(1)
    const { trustSystemRoots } = await import(roots)
    const { createKeyAgent, keysAt } = await import(file)
    trustSystemRoots()
    const agent = createKeyAgent()
    await keysAt(url, agent).load(AbortSignal.timeout(5000)).then(() => console.log('trusted'), (error) => console.log(error.message))
    await agent.destroy()`
  const modules = ['src/proxy/trusted-roots.ts', 'src/token/key-source.ts'].map((file) => pathToFileURL(file).href)

  function keysWith(env: Readonly<Record<string, string>>): Promise<string> {
    const own = { PATH: process.env.PATH, ...env }
    const args = ['--input-type=module', '-e', program, ...modules, `https://photos.internal:${port}/keys`]
    const dns = ['--import', `data:text/javascript,${encodeURIComponent(RESOLVER)}`]
    return new Promise((resolve, reject) =>
      execFile(process.execPath, [...dns, ...args], { env: own }, (error, out) =>
        error ? reject(error) : resolve(out),
      ),
    )
  }

  for (const name of ['SSL_CERT_FILE', 'NODE_EXTRA_CA_CERTS'])
    it(`trusts what ${name} names, keys of issuers too`, async () => {
      assert.match(await keysWith({ [name]: cert }), /^trusted/)
    })
  it('trusts nobody else', async () => {
    assert.match(await keysWith({}), /SELF_SIGNED/)
  })
})

// The name of the certificate leads to this machine.
const RESOLVER = `
  import dns from 'node:dns'
  dns.lookup = (name, options, done) => options?.all ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4)
  import { syncBuiltinESMExports } from 'node:module'
  syncBuiltinESMExports()`
