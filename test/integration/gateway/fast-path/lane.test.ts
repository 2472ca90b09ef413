import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import { attachFastPath, type FastPath } from '../../../../src/gateway/fast-path/fast-path.ts'
import { readPlainHead } from '../../../../src/gateway/fast-path/head.ts'
import type { FastPathRequest } from '../../../../src/gateway/fast-path/request.ts'
import type { FastPathResponse } from '../../../../src/gateway/fast-path/response.ts'

interface Running {
  readonly port: number
  readonly lane: FastPath
  /** Which side took each request: `lane` or `parser`. */
  readonly taken: string[]
  close(): Promise<void>
}

type Answer = (response: Pick<FastPathResponse, 'writeHead' | 'write' | 'end'>) => void

const plainAnswer: Answer = (response) => {
  response.writeHead(200, ['Content-Length', '2', 'X-Case', 'Kept'])
  response.end('ok')
}

async function start(answer: Answer = plainAnswer, keepAliveMs = 60_000): Promise<Running> {
  const taken: string[] = []
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    taken.push('parser')
    request.resume()
    request.once('end', () => answer(response as unknown as FastPathResponse))
  })
  const onRequest = (_request: FastPathRequest, response: FastPathResponse): void => {
    taken.push('lane')
    answer(response)
  }
  const lane = attachFastPath(server, { takes: () => true, onRequest, keepAliveMs, firstRequestMs: 60_000 })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    lane,
    taken,
    close: async () => {
      lane.close()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/**
 * Writes `parts` on one connection and reads until the server closes it.
 * @param patient wait for an answer before the next part
 */
function exchange(port: number, parts: readonly string[], patient = false): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    const chunks: Buffer[] = []
    let written = 0
    const writeNext = (): void => {
      const part = parts[written]
      written += 1
      if (part !== undefined) socket.write(part, 'latin1', patient ? undefined : () => setImmediate(writeNext))
    }
    socket.on('data', (chunk) => {
      chunks.push(chunk)
      if (patient && Buffer.concat(chunks).toString('latin1').split('HTTP/1.1 ').length > written) writeNext()
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')))
    writeNext()
  })
}

const GET = 'GET /a HTTP/1.1\r\nHost: x\r\n\r\n'
const LAST = 'GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'

describe('the lane for plain requests', () => {
  it('answers plain requests itself and gives everything from the first other one to the full parser', async () => {
    const running = await start()
    try {
      const upload = 'PUT /b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc'
      const text = await exchange(running.port, [GET, upload, GET, LAST], true)
      assert.equal(text.split('HTTP/1.1 200 OK').length - 1, 4)
      assert.equal(running.taken[0], 'lane')
      assert.deepEqual(running.taken.slice(1), ['parser', 'parser', 'parser'])
      assert.equal(running.lane.connections, 0)
    } finally {
      await running.close()
    }
  })

  it('loses no byte of a head that comes in two segments', async () => {
    const running = await start()
    try {
      for (let cut = 1; cut < LAST.length; cut += 7) {
        const text = await exchange(running.port, [LAST.slice(0, cut), LAST.slice(cut)])
        assert.match(text, /^HTTP\/1\.1 200 OK\r\n/)
      }
    } finally {
      await running.close()
    }
  })

  it('answers pipelined requests in their order', async () => {
    const running = await start()
    try {
      const text = await exchange(running.port, [`${GET}${GET}${LAST}`])
      assert.equal(text.split('\r\n\r\nok').length - 1, 3)
    } finally {
      await running.close()
    }
  })

  it('frames an answer without a length in chunks', async () => {
    const running = await start((response) => {
      response.writeHead(200, [])
      response.write('first')
      response.write('x'.repeat(20_000))
      response.end('last')
    })
    try {
      const response = await fetch(`http://127.0.0.1:${running.port}/`)
      assert.equal(await response.text(), `first${'x'.repeat(20_000)}last`)
      assert.equal(running.taken[0], 'lane')
    } finally {
      await running.close()
    }
  })

  it('sends no body to HEAD, nor with 204 and 304, and keeps the connection', async () => {
    const answers: readonly [number, readonly string[]][] = [
      [200, ['Content-Length', '5']],
      [204, []],
      [304, []],
    ]
    let answered = 0
    const running = await start((response) => {
      const [status, fields] = answers[answered] ?? [500, []]
      answered += 1
      response.writeHead(status, fields)
      response.end('hello')
    })
    try {
      const head = 'HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n'
      const text = await exchange(running.port, [head, GET, LAST], true)
      assert.ok(!text.includes('hello'))
      assert.deepEqual(text.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 200', 'HTTP/1.1 204', 'HTTP/1.1 304'])
    } finally {
      await running.close()
    }
  })

  it('ends a connection that is idle for longer than it is kept', async () => {
    const running = await start(plainAnswer, 100)
    try {
      const text = await exchange(running.port, [GET])
      assert.match(text, /^HTTP\/1\.1 200 OK\r\n[\s\S]*Connection: keep-alive\r\n\r\nok$/)
      const deadline = performance.now() + 5_000
      while (running.lane.connections > 0 && performance.now() < deadline) await delay(5)
      assert.equal(running.lane.connections, 0)
    } finally {
      await running.close()
    }
  })

  it('tells who listens that the client has gone in mid-answer', async () => {
    let gone: (() => void) | undefined
    const left = new Promise<void>((resolve) => {
      gone = resolve
    })
    const running = await start((response) => {
      ;(response as FastPathResponse).once('close', () => gone?.())
      response.writeHead(200, ['Content-Length', '10'])
      response.write('half')
    })
    try {
      const socket = connect(running.port, '127.0.0.1', () => socket.write(GET))
      socket.once('data', () => socket.destroy())
      await left
    } finally {
      await running.close()
    }
  })
})

describe('the grammar of plain requests', () => {
  const refused: readonly [string, string][] = [
    ['a method with a body', 'POST / HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a body on GET', 'GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n'],
    ['chunks on GET', 'GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['an upgrade', 'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'],
    ['Connection that names a field', 'GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, X-Auth-Username\r\n\r\n'],
    ['no Host', 'GET / HTTP/1.1\r\nAccept: */*\r\n\r\n'],
    ['two Hosts', 'GET / HTTP/1.1\r\nHost: x\r\nhost: y\r\n\r\n'],
    ['HTTP/1.0', 'GET / HTTP/1.0\r\nHost: x\r\n\r\n'],
    ['absolute-form', 'GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['bare line feeds', 'GET / HTTP/1.1\nHost: x\n\n'],
    ['a folded field', 'GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n'],
    ['a space before the colon', 'GET / HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n'],
    ['a control byte in a value', 'GET / HTTP/1.1\r\nHost: x\r\nA: b\u0001\r\n\r\n'],
    ['a carriage return in a value', 'GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n'],
    ['bytes behind the head', 'GET / HTTP/1.1\r\nHost: x\r\n\r\nGET'],
    ['an empty field name', 'GET / HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n'],
  ]
  for (const [what, text] of refused) {
    it(`leaves ${what} to the full parser`, () => assert.equal(readPlainHead(text, undefined), undefined))
  }

  it('reads what it reads exactly as the full parser does', async () => {
    const seen: { rawHeaders: readonly string[]; url: string | undefined }[] = []
    const server = createServer((request, response) => {
      seen.push({ rawHeaders: request.rawHeaders, url: request.url })
      response.end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const token = fc.string({ unit: fc.constantFrom(...'abzAZ09!#$%&*+-.^_|~'), minLength: 1, maxLength: 8 })
    const value = fc.string({ unit: fc.constantFrom(...' \tabc:,;="\\/ÿ\x80~'), maxLength: 12 })
    const path = fc.string({ unit: fc.constantFrom(...'abc/%2e.;?&=~'), maxLength: 12 })
    try {
      await fc.assert(
        fc.asyncProperty(path, fc.array(fc.tuple(token, value), { maxLength: 6 }), async (rest, fields) => {
          const lines = fields.map(([name, text]) => `${name}:${text}\r\n`).join('')
          const text = `GET /${rest} HTTP/1.1\r\nHost: x\r\n${lines}\r\n`
          const head = readPlainHead(text, undefined)
          if (head === undefined) return
          seen.length = 0
          await exchange(port, [text.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')])
          assert.deepEqual(seen[0]?.rawHeaders.slice(0, -2), head.fields.rawHeaders)
          assert.equal(seen[0]?.url, head.url)
        }),
        { numRuns: 200 },
      )
    } finally {
      await new Promise((resolve) => server.close(resolve))
    }
  })

  it('reads fields that came before as if they were new, whatever is sent in place of the token', () => {
    const unit = fc.constantFrom(...'ab. \t,=\r\n:Bearer-\u0001\xff')
    const token = fc.oneof(
      fc.string({ unit, maxLength: 6 }),
      fc.constantFrom('x', 'a\r\nB: c', 'a\r\n\r\nGET / HTTP/1.1'),
    )
    const scheme = fc.constantFrom('Bearer ', 'bearer ', 'BEARER  ', 'Bearer', 'DPoP ', 'Basic ')
    const more = fc.constantFrom('', 'Accept: */*\r\n', 'Authorization: Bearer z\r\n', 'X: Bearer q\r\n')
    const clean = fc.constantFrom('x', 'abc', 'a.b-c')
    const heads = fc
      .tuple(scheme, clean, fc.oneof(clean, token), more, more)
      .map(([used, one, other, before, after]) => {
        const line = `GET /a HTTP/1.1\r\nHost: x\r\n${before}Authorization: ${used}`
        return [`${line}${one}\r\n${after}\r\n`, `${line}${other}\r\n${after}\r\n`] as const
      })
    const told = { matched: 0 }
    fc.assert(
      fc.property(heads, ([first, second]) => {
        const before = readPlainHead(first, undefined)?.fields
        const again = readPlainHead(second, before)
        const anew = readPlainHead(second, undefined)
        if (again === undefined || again.fields !== before) return
        told.matched += 1
        assert.deepEqual([again.bearer, again.fields.rawHeaders], [anew?.bearer, anew?.fields.rawHeaders])
      }),
      { numRuns: 5_000 },
    )
    assert.ok(told.matched > 50, `${told.matched} matched`)
  })

  it('keeps no token among the fields', () => {
    const head = readPlainHead('GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer secret\r\n\r\n', undefined)
    assert.equal(head?.bearer, 'secret')
    assert.deepEqual(head?.fields.rawHeaders, ['Host', 'x', 'Authorization', 'Bearer -'])
  })
})
