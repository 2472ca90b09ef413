import assert from 'node:assert/strict'
import { createHash, type Hash } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import { describe, it } from 'node:test'
import { clock, httpUpstream, openings, proxyTo, until } from './proxy-rig.ts'

const MIB = 2 ** 20
const SIZE = 256 * MIB
/** Not a divisor of any power of two, so that pieces are cut everywhere. */
const PIECE = Buffer.from(Uint8Array.from({ length: 61_001 }, (_, i) => (i * 7919) % 251))

const opened = openings()

interface Sink {
  write(chunk: Buffer): boolean
  once(event: 'drain', listener: () => void): unknown
  end(): unknown
}

/** Writes SIZE bytes as fast as they are taken; answers their hash. */
async function pour(sink: Sink): Promise<string> {
  const hash = createHash('sha256')
  for (let left = SIZE; left > 0; left -= PIECE.length) {
    const piece = PIECE.subarray(0, Math.min(left, PIECE.length))
    hash.update(piece)
    if (!sink.write(piece)) await new Promise<void>((resolve) => sink.once('drain', resolve))
  }
  sink.end()
  return hash.digest('hex')
}

async function take(source: AsyncIterable<Buffer>, hash: Hash = createHash('sha256')): Promise<string> {
  for await (const chunk of source) hash.update(chunk)
  return hash.digest('hex')
}

function watchMemory(): () => number {
  const start = process.memoryUsage().rss
  const most = { rss: start }
  const timer = setInterval(() => {
    most.rss = Math.max(most.rss, process.memoryUsage().rss)
  }, 20)
  return () => {
    clearInterval(timer)
    return (most.rss - start) / MIB
  }
}

describe('256 MiB', () => {
  for (const framing of ['Content-Length', 'chunks'] as const) {
    const headers = framing === 'chunks' ? {} : { 'Content-Length': SIZE }

    it(`download byte for byte in bounded memory (${framing})`, async () => {
      const sent: Promise<string>[] = []
      const upstream = await httpUpstream((_request, response) => {
        response.writeHead(200, headers)
        sent.push(pour(response))
      })
      const proxy = await proxyTo([upstream.port])
      opened.push(upstream, proxy)
      const grown = watchMemory()
      const got = await new Promise<string>((resolve, reject) => {
        const asking = httpRequest({ port: proxy.port, agent: false }, (response) => resolve(take(response)))
        asking.on('error', reject).end()
      })
      const megabytes = grown()
      assert.equal(got, await sent[0])
      assert.ok(megabytes < 150, `memory grew by ${megabytes} MiB`)
      await until(() => proxy.outcomes.length === 1, 'the outcome')
      assert.equal(proxy.outcomes[0]?.bytesOut, SIZE)
    })

    it(`upload byte for byte in bounded memory (${framing})`, async () => {
      const upstream = await httpUpstream((request, response) => {
        void take(request).then((hash) => response.end(hash))
      })
      const proxy = await proxyTo([upstream.port])
      opened.push(upstream, proxy)
      const grown = watchMemory()
      const asking = httpRequest({ port: proxy.port, agent: false, method: 'PUT', headers })
      const answer = new Promise<string>((resolve, reject) => {
        asking.on('error', reject).on('response', async (response) => {
          let text = ''
          for await (const chunk of response) text += chunk
          resolve(text)
        })
      })
      const sent = await pour(asking)
      assert.equal(await answer, sent)
      const megabytes = grown()
      assert.ok(megabytes < 150, `memory grew by ${megabytes} MiB`)
      await until(() => proxy.outcomes.length === 1, 'the outcome')
      assert.equal(proxy.outcomes[0]?.bytesIn, SIZE)
    })
  }

  it('wait upstream while the client reads slowly, and nothing is lost', async () => {
    const body = Buffer.alloc(24 * MIB, PIECE)
    const upstream = await httpUpstream((_request, response) => response.end(body))
    const proxy = await proxyTo([upstream.port])
    opened.push(upstream, proxy)
    const hash = createHash('sha256')
    const paused = { times: 0 }
    await new Promise<void>((resolve, reject) => {
      const asking = httpRequest({ port: proxy.port, agent: false }, (response) => {
        let resumeAt = clock()
        response.on('data', (chunk: Buffer) => {
          hash.update(chunk)
          if (paused.times++ % 50 !== 0) return
          response.pause()
          resumeAt = clock() + 2
          const wait = (): void => {
            if (clock() < resumeAt) setImmediate(wait)
            else response.resume()
          }
          wait()
        })
        response.on('end', resolve)
      })
      asking.on('error', reject).end()
    })
    assert.equal(hash.digest('hex'), createHash('sha256').update(body).digest('hex'))
  })
})
