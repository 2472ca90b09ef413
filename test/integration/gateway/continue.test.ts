import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { type Gate, mounts, routeOf } from '../../support/gate.ts'
import { until } from '../../support/gateway-under-test.ts'
import { startUpstream, type TestUpstream } from '../../support/upstreams.ts'

const run = promisify(execFile)

for (const { mount, open } of mounts) {
  describe(`uploads, ${mount}`, () => {
    let upstream: TestUpstream
    let gate: Gate
    let token: string

    before(async () => {
      upstream = await startUpstream()
      gate = await open(`${routeOf('photos', upstream.url)}
  - { id: open, path: /open, public: true, upstream: "${upstream.url}", max_body: 1MiB }`)
      token = gate.token({ claims: { scope: 'photos:write' } })
    })
    after(async () => {
      await gate.close()
      await upstream.close()
    })

    function head(fields: string): string {
      return `PUT /photos/a HTTP/1.1\r\nHost: a\r\n${fields}\r\n`
    }

    it('Expect: 100-continue of a refused upload is never answered 100, and nothing is sent upstream', async () => {
      const heads = upstream.heads
      const answer = await gate.send(head('Content-Length: 1000\r\nExpect: 100-continue\r\n'))
      assert.equal(answer.status, 401)
      assert.doesNotMatch(answer.text, /100 Continue/)
      assert.equal(answer.headers.get('connection'), 'close')
      const large = head('Content-Length: 99999999\r\nExpect: 100-continue\r\n').replace('/photos', '/open')
      assert.match((await gate.send(large)).text, /^HTTP\/1\.1 413 /)
      assert.equal(upstream.heads, heads)
    })

    it('Expect: 100-continue of a permitted upload is answered 100, then the upload goes through', async () => {
      const socket = connect(gate.port, '127.0.0.1')
      let text = ''
      socket.on('data', (chunk) => {
        text += chunk.toString('latin1')
      })
      socket.write(head(`Authorization: Bearer ${token}\r\nContent-Length: 5\r\nExpect: 100-continue\r\n`))
      await until(() => text.startsWith('HTTP/1.1 100 Continue\r\n\r\n'), 'the 100')
      socket.write('hello')
      await until(() => text.includes('HTTP/1.1 200'), 'the answer')
      await until(() => text.includes('"bodyBytes":5'), 'the body')
      socket.destroy()
      assert.ok(!upstream.seen.at(-1)?.rawHeaders.some((name) => name.toLowerCase() === 'expect'))
    })

    it('curl: a refused upload of 20 MB is not sent', async () => {
      const file = join(gate.folder, 'large')
      writeFileSync(file, Buffer.alloc(20_000_000))
      const args = ['-s', '-o', '/dev/null', '-w', '%{http_code} %{size_upload}', '-T', file, `${gate.url}/photos/a`]
      const refused = await run('curl', ['-H', 'Expect: 100-continue', ...args])
      assert.equal(refused.stdout, '401 0')
      const sent = await run('curl', ['-H', 'Expect: 100-continue', '-H', `Authorization: Bearer ${token}`, ...args])
      assert.equal(sent.stdout, '200 20000000')
      assert.equal(upstream.seen.at(-1)?.bodyBytes, 20_000_000)
    })

    it('no byte of the body is read before the decision: a refused upload without Expect is answered at once', async () => {
      const answer = await gate.send(head('Content-Length: 1000000000\r\n'))
      assert.equal(answer.status, 401)
      assert.equal(answer.headers.get('connection'), 'close')
    })

    it('a client that goes on sending a refused upload can read the answer', async () => {
      const size = 500_000
      const answer = await gate.send(head(`Content-Length: ${size}\r\n`) + 'x'.repeat(size))
      assert.equal(answer.status, 401)
      assert.match(answer.body, /no_token/)
    })

    it('a client that sends a refused upload for ever is cut', async () => {
      const socket = connect(gate.port, '127.0.0.1')
      socket.on('error', () => undefined)
      socket.write(head('Content-Length: 1000000000\r\n'))
      const chunk = Buffer.alloc(65_536)
      const pump = (): void => {
        while (!socket.destroyed && socket.write(chunk));
      }
      socket.on('drain', pump)
      const closed = new Promise((resolve) => socket.once('close', resolve))
      pump()
      await closed
      assert.ok(socket.bytesWritten < 100_000_000)
    })

    it('a small body of a refused request is read, and the connection goes on', async () => {
      const socket = connect(gate.port, '127.0.0.1')
      let text = ''
      socket.on('data', (chunk) => {
        text += chunk.toString('latin1')
      })
      socket.write(
        `${head('Content-Length: 5\r\n')}helloGET /photos/b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
      )
      await new Promise((resolve) => socket.once('close', resolve))
      assert.equal([...text.matchAll(/HTTP\/1\.1 401/g)].length, 2)
    })

    it('an expectation that nobody knows is passed over', async () => {
      const answer = await gate.send(
        `${head(`Authorization: Bearer ${token}\r\nContent-Length: 2\r\nExpect: tea\r\n`)}ab`,
      )
      assert.equal(answer.status, 200)
    })
  })
}
