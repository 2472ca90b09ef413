import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { connect } from 'node:tls'
import { loadConfig } from '../../../src/config/load.ts'
import { logTo } from '../../../src/observe/log.ts'
import { keepReloading } from '../../../src/server/reload.ts'
import { startGateway, type TestGateway, until, yamlOf } from '../../support/gateway-under-test.ts'
import { startUpstream, type TestUpstream } from '../../support/upstreams.ts'

function makeCertificate(folder: string, name: string): { cert: string; key: string } {
  const cert = join(folder, `${name}.crt`)
  const key = join(folder, `${name}.key`)
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      ...curve,
      '-nodes',
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
      '-addext',
      'subjectAltName=DNS:localhost',
      '-keyout',
      key,
      '-out',
      cert,
    ],
    { stdio: 'ignore' },
  )
  return { cert, key }
}

interface TlsAnswer {
  readonly text: string
  readonly subject: string | string[] | undefined
}

/** One request over TLS, whatever the certificate. */
function ask(
  port: number,
  options: { maxVersion?: 'TLSv1.1' | 'TLSv1.2'; ciphers?: string } = {},
  path = '/open/a',
): Promise<TlsAnswer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, servername: 'localhost', ...options })
    let text = ''
    socket.on('error', reject)
    socket.once('secureConnect', () => {
      const subject = socket.getPeerCertificate().subject?.CN
      socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
      socket.on('data', (chunk) => {
        text += chunk.toString('latin1')
      })
      socket.once('close', () => resolve({ text, subject }))
    })
  })
}

describe('tls', () => {
  let upstream: TestUpstream
  let gateway: TestGateway
  let yaml: string

  before(async () => {
    upstream = await startUpstream()
    const first = await startGateway({
      yaml: yamlOf(`  - { id: open, path: /open, public: true, upstream: "${upstream.url}" }`),
    })
    const { cert, key } = makeCertificate(first.folder, 'one')
    const pems = { cert: readFileSync(cert), key: readFileSync(key) }
    await first.close()
    yaml = yamlOf(
      `  - { id: open, path: /open, public: true, upstream: "${upstream.url}" }`,
      'tls: { cert: cert.pem, key: key.pem }',
    )
    gateway = await startGateway({
      yaml,
      prepare: (folder) => {
        writeFileSync(join(folder, 'cert.pem'), pems.cert)
        writeFileSync(join(folder, 'key.pem'), pems.key)
      },
    })
  })
  after(async () => {
    await gateway.close()
    await upstream.close()
  })

  it('requests come through, and the upstream hears that they came by https', async () => {
    const { text, subject } = await ask(gateway.port)
    assert.match(text, /^HTTP\/1\.1 200 /)
    assert.match(text, /"X-Forwarded-Proto","https"/)
    assert.equal(subject, 'one')
  })

  it('TLS 1.1 is not spoken', async () => {
    await assert.rejects(ask(gateway.port, { maxVersion: 'TLSv1.1' }))
  })

  it('TLS 1.2 is spoken with forward secrecy and authenticated encryption only, after a reload of the files too', async () => {
    const weak = [
      'ECDHE-ECDSA-AES128-SHA256',
      'ECDHE-ECDSA-AES256-SHA384',
      'ECDHE-ECDSA-AES128-SHA',
      'AES128-GCM-SHA256',
    ]
    const refuseWeak = async (): Promise<void> => {
      for (const ciphers of weak) await assert.rejects(ask(gateway.port, { maxVersion: 'TLSv1.2', ciphers }), ciphers)
      const strong = await ask(gateway.port, { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' })
      assert.match(strong.text, /^HTTP\/1\.1 200/)
    }
    await refuseWeak()
    await gateway.server.reload(gateway.decode(yaml))
    await refuseWeak()
  })

  it('plain HTTP on the TLS port takes nothing with it', async () => {
    await assert.rejects(fetch(`http://127.0.0.1:${gateway.port}/open/a`))
    assert.match((await ask(gateway.port)).text, /^HTTP\/1\.1 200 /)
  })

  it('new files are used for the next connection as soon as they are there, without a restart', async () => {
    const reloading = keepReloading({
      server: gateway.server,
      log: logTo({ write: () => undefined }),
      now: Date.now,
      load: () => loadConfig(join(gateway.folder, 'routes.yaml'), {}),
    })
    const { cert, key } = makeCertificate(gateway.folder, 'two')
    writeFileSync(join(gateway.folder, 'cert.pem'), readFileSync(cert))
    writeFileSync(join(gateway.folder, 'key.pem'), readFileSync(key))
    await until(async () => (await ask(gateway.port)).subject === 'two', 'the new certificate')
    reloading.close()
  })

  it('a certificate and a key that don’t fit each other are refused, and the old ones stay', async () => {
    const { cert } = makeCertificate(gateway.folder, 'three')
    writeFileSync(join(gateway.folder, 'cert.pem'), readFileSync(cert))
    await assert.rejects(gateway.server.reload(gateway.decode(yaml)), /tls: .*cert\.pem/)
    assert.equal((await ask(gateway.port)).subject, 'two')
  })
})
