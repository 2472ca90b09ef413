import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { Turns } from '../../../src/gateway/turns.ts'
import { listenOnLoopback, stopServer } from '../../support/upstreams.ts'

describe('a body behind an earlier answer that is not given', () => {
  const served: string[] = []
  const turns = new Turns({ checkMs: 10, idleMs: 100 })
  const server = createServer((request, response) => {
    turns.await(request, response, () => served.push(request.url ?? ''))
  })
  let port = 0
  before(async () => {
    port = await listenOnLoopback(server)
  })
  after(() => stopServer(server))

  /** Answers when the connection has ended. */
  function sent(bytes: string): Promise<void> {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.write(`GET /first HTTP/1.1\r\nHost: a\r\n\r\n${bytes}`)
    return new Promise((resolve) => socket.resume().once('close', () => resolve()))
  }

  it('ends with its connection when no more of it comes', async () => {
    await sent('POST /still HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc')
    assert.ok(!served.includes('/still'))
  })

  it('ends with its connection when no more of it can be held', async () => {
    await sent(`POST /full HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n${'x'.repeat(500_000)}`)
    assert.ok(!served.includes('/full'))
  })
})
