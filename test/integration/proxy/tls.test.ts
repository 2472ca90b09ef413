import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { createUpstreamGroup } from '../../../src/proxy/upstreams.ts'
import { clock, type Listening, listening, type ProxyUnderTest, proxyTo, upstreamAt } from './proxy-rig.ts'

const GET = 'GET / HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n\r\n'

const folder = mkdtempSync(join(tmpdir(), 'proxy-tls-'))
const usual = getCACertificates('default')
const opened: { close(): Promise<void> }[] = []

/** A certificate of its own authority for localhost, or another name. */
function certificate(name: string): { readonly cert: string; readonly key: string } {
  const [cert, key] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)]
  const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`]
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  execFileSync('openssl', ['req', ...kind, '-keyout', key, '-out', cert, ...subject], { stdio: 'ignore' })
  return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') }
}

describe('an https upstream', () => {
  const trusted = certificate('localhost')
  const other = certificate('elsewhere.example')
  const stranger = certificate('localhost')
  const names: (string | undefined)[] = []

  before(() => setDefaultCACertificates([...usual, trusted.cert, other.cert]))
  after(async () => {
    setDefaultCACertificates([...usual])
    for (const each of opened.reverse()) await each.close()
    rmSync(folder, { recursive: true })
  })

  async function proxyBefore(keys: { cert: string; key: string }): Promise<ProxyUnderTest & { upstream: Listening }> {
    const server = createServer(keys, (request, response) => {
      let bytes = 0
      request.on('data', (chunk: Buffer) => {
        bytes += chunk.length
      })
      request.on('end', () => response.end(bytes === 0 ? 'x'.repeat(300_000) : `${bytes}`))
    })
    server.on('secureConnection', (socket) => {
      socket.on('error', () => {})
      names.push(typeof socket.servername === 'string' ? socket.servername : undefined)
    })
    const upstream = await listening(server)
    const proxy = await proxyTo(createUpstreamGroup([upstreamAt(upstream.port, 'https:', 'localhost')], clock))
    opened.push(upstream, proxy)
    return Object.assign(proxy, { upstream })
  }

  it('is asked by its name over a verified connection, which is kept', async () => {
    const proxy = await proxyBefore(trusted)
    assert.match(await proxy.exchange(GET), /x{300000}$/)
    const upload = `PUT / HTTP/1.1\r\nHost: gate\r\nConnection: close\r\nContent-Length: 200000\r\n\r\n${'y'.repeat(200_000)}`
    assert.match(await proxy.exchange(upload), /\r\n\r\n200000$/)
    assert.equal(proxy.upstream.accepted, 1)
    assert.deepEqual(names, ['localhost'])
  })

  it('is refused when nobody known vouches for it, whatever the environment says', async () => {
    const earlier = process.env.NODE_TLS_REJECT_UNAUTHORIZED
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
    const proxy = await proxyBefore(stranger)
    assert.match(await proxy.exchange(GET), /^HTTP\/1\.1 502 .*refused/s)
    if (earlier === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED
    else process.env.NODE_TLS_REJECT_UNAUTHORIZED = earlier
    assert.match(JSON.stringify(proxy.outcomes[0]), /SELF_SIGNED/)
  })

  it('is refused when its certificate is for another name', async () => {
    const proxy = await proxyBefore(other)
    assert.match(await proxy.exchange(GET), /^HTTP\/1\.1 502 .*refused/s)
    assert.match(JSON.stringify(proxy.outcomes[0]), /ALTNAME/)
  })
})
