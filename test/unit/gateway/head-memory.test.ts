import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { connect, type Socket } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { FullParser } from '../../../src/gateway/full-parser.ts'
import { listenOnLoopback, stopServer } from '../../support/upstreams.ts'

const CONNECTIONS = 300

describe('what the full parser remembers', () => {
  const server = createServer({ maxHeaderSize: 65_536 })
  const sockets: Socket[] = []
  let port = 0
  before(async () => {
    const parser = new FullParser({
      request: ({ response }) => {
        response.end('ok')
        return { ending: false }
      },
      tunnels: () => false,
      refused: (socket) => void socket.destroy(),
    })
    parser.attach(server)
    port = await listenOnLoopback(server)
  })
  after(() => stopServer(server))

  async function ask(bytes: number): Promise<void> {
    const socket = connect(port, '127.0.0.1')
    sockets.push(socket)
    socket.write(`GET / HTTP/1.1\r\nHost: a\r\nX-Fill: ${'x'.repeat(bytes)}\r\n\r\n`)
    await new Promise((resolve) => socket.once('data', resolve))
  }

  it('keeps no head of a request that was answered, while its connection stays open', async () => {
    await ask(10)
    const before = await liveBytes()
    for (let i = 0; i < CONNECTIONS; i++) await ask(30_000)
    const kept = ((await liveBytes()) - before) / CONNECTIONS
    for (const socket of sockets) socket.destroy()
    assert.ok(kept < 25_000, `${Math.round(kept)} bytes for each connection`)
  })
})

/** After everything that can go has gone. */
async function liveBytes(): Promise<number> {
  setFlagsFromString('--expose-gc')
  await new Promise((resolve) => setImmediate(resolve))
  runInNewContext('gc')()
  return process.memoryUsage().heapUsed
}
