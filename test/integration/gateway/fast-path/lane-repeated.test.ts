import assert from 'node:assert/strict'
import { Agent, type IncomingMessage, request } from 'node:http'
import { after, before, describe, it } from 'node:test'
import { photosRoute, startGateway, type TestGateway, yamlOf } from '../../../support/gateway-under-test.ts'
import { startUpstream, type TestUpstream } from '../../../support/upstreams.ts'

interface Asking {
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
}

describe('requests that follow each other on one connection', () => {
  let upstream: TestUpstream
  let gateway: TestGateway
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })

  const routes = (url: string, tenant: string): string => `${photosRoute(url, '    public: [/share/**]')}
  - { id: open, path: /open, public: true, upstream: "${url}" }
  - { id: other, path: /other, strip_path: true, resource: "https://gate.example.com/photos", upstream: "${url}", identity: remote-user, headers: { X-Tenant: ${tenant} }, rules: [{ methods: [any], scopes: [photos:read] }] }`

  before(async () => {
    upstream = await startUpstream()
    gateway = await startGateway({ yaml: yamlOf(routes(upstream.url, 'one')) })
  })
  after(async () => {
    agent.destroy()
    await gateway.close()
    await upstream.close()
  })

  function ask(
    { path, headers }: Asking,
    through: Agent | false,
  ): Promise<{ told: unknown; port: number | undefined }> {
    return new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port: gateway.port, path, headers, agent: through }
      const sent = request(options, (response) => {
        const port = response.socket.localPort
        read(response).then((body) => resolve({ told: tellable(response, body), port }), reject)
      })
      sent.once('error', reject)
      sent.end()
    })
  }

  async function read(response: IncomingMessage): Promise<string> {
    let body = ''
    for await (const chunk of response.setEncoding('latin1')) body += chunk
    return body
  }

  /** The answer, and what the upstream saw, without what differs from request to request. */
  function tellable(response: IncomingMessage, body: string): unknown {
    const challenge = response.headers['www-authenticate']
    if (response.statusCode !== 200)
      return [response.statusCode, challenge, body.replace(/"request_id":"[^"]*"|<dt>Request<\/dt><dd>[^<]*/, '')]
    const parsed = JSON.parse(body)
    const seen: readonly string[] = parsed.rawHeaders
    const kept = seen.filter((_, i) => !/^(x-request-id|connection)$/i.test(seen[i - (i % 2)] ?? ''))
    return [response.statusCode, parsed.url, kept]
  }

  it('are judged and told as if each came alone, whoever sends them', async () => {
    const tokens = [
      gateway.token(),
      gateway.token({ claims: { sub: 'u-bob', username: 'bob', groups: ['files'] } }),
      gateway.token({ claims: { scope: 'photos:write' } }),
      gateway.token({ claims: { aud: 'https://gate.example.com/files' } }),
      `${gateway.token().slice(0, -4)}AAAA`,
      'no-token',
      'no"token',
      'a b',
      'a\tb',
    ]
    const authorizations = [undefined, 'Basic YTpi', ...tokens.map((token) => `Bearer ${token}`)]
    const paths = [
      '/photos/a',
      '/photos/b?c=d',
      '/photos/share/x',
      '/open/x',
      '/other/y',
      '/nowhere',
      '/photos/%2e%2e/x',
    ]
    const extras: readonly Readonly<Record<string, string>>[] = [
      {},
      { Accept: 'text/html' },
      { 'X-Auth-Username': 'mallory' },
      { If: '<http://elsewhere.example/x> (["e"])' },
    ]
    const ports = new Set<number | undefined>()
    const base = { Host: 'gate.example.com', Connection: 'keep-alive' }
    for (let round = 0; round < 2; round++) {
      for (const extra of extras) {
        for (const path of paths) {
          for (const authorization of authorizations) {
            const headers = {
              ...base,
              ...extra,
              ...(authorization === undefined ? {} : { Authorization: authorization }),
            }
            const kept = await ask({ path, headers }, agent)
            // The full parser takes what closes its connection, and remembers nothing.
            const alone = await ask({ path, headers: { ...headers, Connection: 'close' } }, false)
            assert.deepEqual(kept.told, alone.told, `${path} ${authorization} ${JSON.stringify(extra)}`)
            ports.add(kept.port)
          }
        }
      }
    }
    // Ambiguous paths and the like keep the connection; the point is that hundreds of requests shared a few.
    assert.ok(ports.size < 10, `${ports.size} connections`)
  })

  it('are judged by the file that is in force, not by the one that was', async () => {
    const headers = { Host: 'gate.example.com', Connection: 'keep-alive', Authorization: `Bearer ${gateway.token()}` }
    const asking = { path: '/other/y', headers }
    const first = await ask(asking, agent)
    assert.match(JSON.stringify(first.told), /"X-Tenant","one"/)
    await gateway.server.reload(gateway.decode(yamlOf(routes(upstream.url, 'two'), 'trusted_proxies: [127.0.0.1]')))
    const second = await ask(asking, agent)
    assert.equal(second.port, first.port)
    assert.match(JSON.stringify(second.told), /"X-Tenant","two"/)
  })
})
