import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { type Overrides, type ProxyUnderTest, proxyTo, rawUpstream, until } from './proxy-rig.ts'

const GET = 'GET / HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n\r\n'
const OK = 'HTTP/1.1 200 OK\r\nDate: x\r\n'
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`

const opened: { close(): Promise<void> }[] = []
after(async () => {
  for (const each of opened.reverse()) await each.close()
})

/** A gateway before an upstream that says this to each request, then ends or leaves the connection open. */
async function saying(answer: string, end: boolean, overrides: Overrides = {}): Promise<ProxyUnderTest> {
  const upstream = await rawUpstream((socket) => {
    socket.write(answer, 'latin1')
    if (end) socket.end()
  })
  const proxy = await proxyTo([upstream.port], overrides)
  opened.push(upstream, proxy)
  return proxy
}

function faultOf({ outcomes }: ProxyUnderTest): string {
  const [outcome] = outcomes
  return outcome?.kind === 'failed' ? outcome.fault : `${outcome?.kind}`
}

describe('an upstream that speaks nonsense is answered for with 502', () => {
  const nonsense: readonly (readonly [string, string])[] = [
    ['garbage', 'garbage\r\n\r\n'],
    ['NUL bytes', '\0'.repeat(100)],
    ['an SSH banner', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['a TLS alert', '\x15\x03\x01\x00\x02\x02\x50'],
    ['a malformed status line', 'HTTP/1.1 2OO OK\r\n\r\n'],
    ['bare line feeds', 'HTTP/1.1 200 OK\nContent-Length: 0\n\n'],
    ['a folded field', `${OK}A: b\r\n c\r\nContent-Length: 0\r\n\r\n`],
    ['a space before a colon', `${OK}Content-Length : 0\r\n\r\n`],
    ['a huge header', `${OK}A: ${'x'.repeat(70_000)}\r\n\r\n`],
    ['an endless header', `${OK}A: ${'x'.repeat(200_000)}`],
    ['too many fields', `${OK}${'a: b\r\n'.repeat(300)}\r\n`],
    ['a flood of informational answers', 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(1_000)],
    ['two lengths', `${OK}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`],
    ['length and chunks', `${OK}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['an unknown coding', `${OK}Transfer-Encoding: gzip\r\n\r\n`],
    ['another protocol, unasked', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n'],
  ]
  for (const [what, answer] of nonsense) {
    it(`for ${what}`, async () => {
      const proxy = await saying(answer, false)
      assert.match(await proxy.exchange(GET), /^HTTP\/1\.1 502 /)
      assert.equal(faultOf(proxy), 'protocol')
      await until(() => proxy.group.members.every(({ connections }) => connections === 0), 'its connection is closed')
    })
  }

  it('when it ends without an answer, or in the middle of a header', async () => {
    for (const part of ['', 'HTTP/1.1 200 OK\r\nA: ']) {
      const proxy = await saying(part, true)
      assert.match(await proxy.exchange(GET), /^HTTP\/1\.1 502 /)
      assert.equal(faultOf(proxy), 'reset')
    }
  })
})

describe('an upstream that breaks off in the middle of a body', () => {
  const broken: readonly (readonly [string, string, string])[] = [
    ['a length that is not reached', `${OK}Content-Length: 10\r\n\r\nhello`, 'reset'],
    ['chunks without an end', `${CHUNKED}5\r\nhello\r\n`, 'reset'],
    ['half a chunk', `${CHUNKED}5\r\nhel`, 'reset'],
    ['a malformed chunk', `${CHUNKED}5\r\nhello\r\nxyz\r\n`, 'protocol'],
    ['trailers without an end', `${CHUNKED}5\r\nhello\r\n0\r\nA: b\r\n`, 'reset'],
  ]
  for (const [what, answer, fault] of broken) {
    it(`breaks the client's connection: ${what}`, async () => {
      const proxy = await saying(answer, true)
      const text = await proxy.exchange(GET)
      assert.doesNotMatch(text, /\r\n0\r\n\r\n$/)
      assert.doesNotMatch(text, /502/)
      assert.equal(faultOf(proxy), fault)
      assert.equal(proxy.outcomes.length, 1)
    })
  }

  it('does not end cleanly for a client of HTTP/1.0, to whom that would be the end of the body', async () => {
    const proxy = await saying(`${CHUNKED}5\r\nhello\r\n`, true)
    assert.match(await proxy.exchange('GET / HTTP/1.0\r\nHost: gate\r\n\r\n'), /\|RESET$/)
  })
})

describe('bytes beyond an answer', () => {
  const hello = `${OK}Content-Length: 5\r\n\r\nhello`
  const poisoned: readonly (readonly [string, string])[] = [
    ['a second answer', hello + OK],
    ['more than its length', `${hello}!`],
    ['more after its last chunk', `${CHUNKED}5\r\nhello\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n`],
    ['a line end', `${hello}\r\n`],
  ]
  for (const [what, answer] of poisoned) {
    it(`reach nobody, and the connection carries no other request: ${what}`, async () => {
      const proxy = await saying(answer, false)
      for (const nth of [1, 2]) {
        assert.match(await proxy.exchange(GET), /\r\n\r\n(5\r\n)?hello(\r\n0\r\n\r\n)?$/)
        await until(() => proxy.group.members[0]?.connections === 0, `connection ${nth} is closed`)
      }
    })
  }

  it('that come later close the idle connection', async () => {
    const sockets: import('node:net').Socket[] = []
    const upstream = await rawUpstream((socket) => {
      sockets.push(socket)
      socket.write(hello)
    })
    const proxy = await proxyTo([upstream.port])
    opened.push(upstream, proxy)
    await proxy.exchange(GET)
    assert.equal(proxy.group.members[0]?.idleConnections, 1)
    sockets[0]?.write(hello)
    await until(() => proxy.group.members[0]?.connections === 0, 'it is closed')
  })
})

describe('the gateway lives on', () => {
  it('when hundreds of upstream connections break at once', async () => {
    let asked = 0
    const upstream = await rawUpstream((socket) => {
      asked += 1
      socket.write(`${OK}Content-Length: 100\r\n\r\nhello`)
      if (asked === 200) for (const each of upstream.sockets) each.resetAndDestroy()
    })
    const proxy = await proxyTo([upstream.port])
    opened.push(upstream, proxy)
    await Promise.all(Array.from({ length: 200 }, () => proxy.exchange(GET)))
    assert.equal(proxy.outcomes.length, 200)
    assert.ok(proxy.outcomes.every((outcome) => outcome.kind === 'failed' && outcome.headSent))
    assert.equal(proxy.group.members[0]?.active, 0)
  })
})
