import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { describe, it } from 'node:test'
import { attachFastPath } from '../../../src/gateway/fast-path/fast-path.ts'
import { SendTimeouts } from '../../../src/gateway/send-timeout.ts'

// More than the buffers of both sides hold.
const BODY = 'x'.repeat(16 * 1024 * 1024)

function answered(untaken: SendTimeouts, response: ServerResponse): void {
  untaken.watch(response)
  response.writeHead(401, ['Content-Length', String(BODY.length)])
  response.end(BODY)
}

/** Sends a request and reads nothing; resolves when the server has ended the connection. */
async function sendAndSleep(port: number, head: string, ended: Promise<unknown>): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  socket.pause()
  socket.write(head)
  try {
    await ended
  } finally {
    socket.destroy()
  }
}

describe('a connection whose client does not read what the gateway answers ends', () => {
  for (const [path, head] of [
    ['plain requests', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['requests for the full parser', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n'],
  ] as const) {
    it(path, async () => {
      const untaken = new SendTimeouts(200)
      const server = createServer((request, response) => {
        request.resume()
        answered(untaken, response)
      })
      const lane = attachFastPath(server, {
        takes: () => true,
        onRequest: (_request, response) => answered(untaken, response as unknown as ServerResponse),
        keepAliveMs: 60_000,
        firstRequestMs: 60_000,
      })
      const ended = new Promise((resolve) => server.on('connection', (socket) => socket.once('close', resolve)))
      await once(server.listen(0, '127.0.0.1'), 'listening')
      try {
        await sendAndSleep((server.address() as AddressInfo).port, head, ended)
      } finally {
        lane.close()
        server.closeAllConnections()
        server.close()
      }
    })
  }

  it('not one whose client has read it', async () => {
    const untaken = new SendTimeouts(100)
    const server = createServer((_request, response) => {
      untaken.watch(response)
      response.end('ok')
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    try {
      for (let i = 0; i < 4; i++) {
        socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
        await once(socket, 'data')
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
      assert.equal(socket.destroyed, false)
    } finally {
      socket.destroy()
      server.closeAllConnections()
      server.close()
    }
  })
})
