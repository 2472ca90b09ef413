import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { describe, it } from 'node:test'
import type { UpstreamFault } from '../../../src/proxy/outcome.ts'
import { type ConnectionUser, UpstreamConnection } from '../../../src/proxy/upstream-connection.ts'

/** Resolves with what became of the request. */
function userOf(settle: (end: UpstreamFault | 'answered') => void): ConnectionUser {
  const nothing = (): void => undefined
  return {
    onConnected: nothing,
    onReadDone: nothing,
    onDrain: nothing,
    onInformation: nothing,
    onUpgrade: nothing,
    onBody: nothing,
    onHead: nothing,
    onEnd: () => settle('answered'),
    onLost: (fault) => settle(fault),
  }
}

describe('an upstream that answers a request before it was sent', () => {
  it('is left: its answer belongs to nobody', async () => {
    const server = createServer()
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const { port } = server.address() as AddressInfo
    const upstream = {
      protocol: 'http:',
      hostname: '127.0.0.1',
      port,
      authority: `127.0.0.1:${port}`,
      basePath: '',
    } as const
    const owner = { onIdle: () => undefined, onClosed: () => undefined }
    const connection = new UpstreamConnection(owner, upstream, undefined)
    const [accepted] = (await once(server, 'connection')) as [Socket]
    const received: string[] = []
    accepted.on('data', (chunk) => received.push(chunk.toString('latin1')))
    accepted.on('error', () => undefined)
    try {
      const end = await new Promise((resolve) => {
        // In one turn, before anything is read or sent: the bytes of an answer come, and a request for which they could be taken.
        setTimeout(() => {
          accepted.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison')
          connection.use(userOf(resolve), false, undefined)
          connection.writeHead('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
        }, 20)
      })
      assert.equal(end, 'protocol')
      assert.deepEqual(received, [])
    } finally {
      connection.destroy()
      accepted.destroy()
      server.close()
    }
  })
})
