import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { describe, it } from 'node:test'
import { type Overrides, openings, type ProxyUnderTest, proxyTo, rawUpstream, until } from './proxy-rig.ts'

const GET = 'GET / HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n\r\n'
const OK = 'HTTP/1.1 200 OK\r\nDate: x\r\n'
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`

const opened = openings()

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
    ['a length that is no number', `${OK}Content-Length: 5x\r\n\r\nhello`],
    ['a length in a list that disagrees', `${OK}Content-Length: 5, 6\r\n\r\nhello`],
    ['a broken chunk that comes with the header', `${CHUNKED}5\r\nhelloXX0\r\n\r\n`],
    ['a size that is none, with the header', `${CHUNKED}xyz\r\n`],
    ['a broken trailer that comes with the header', `${CHUNKED}0\r\nA : b\r\n\r\n`],
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

  it('when it ends without an answer or in the middle of a header', async () => {
    for (const part of ['', 'HTTP/1.1 200 OK\r\nA: ']) {
      const proxy = await saying(part, true)
      assert.match(await proxy.exchange(GET), /^HTTP\/1\.1 502 /)
      assert.equal(faultOf(proxy), 'reset')
    }
  })
})

describe('an answer that is spelled otherwise', () => {
  it('has its length as the number that was read, once', async () => {
    for (const length of [
      'Content-Length: 0005\r\n',
      'Content-Length: 5\r\nContent-Length: 5\r\n',
      'Content-Length: 5, 5\r\n',
    ]) {
      const proxy = await saying(`${OK}${length}\r\nhello`, false)
      const text = await proxy.exchange(GET)
      assert.deepEqual(text.match(/content-length:.*/gi), ['Content-Length: 5'])
      assert.match(text, /\r\n\r\nhello$/)
    }
  })

  it('may have white space behind the sizes of its chunks', async () => {
    const proxy = await saying(`${CHUNKED}2 \r\nhe\r\n3 \t;a=b\r\nllo\r\n0 \r\n\r\n`, false)
    assert.match(await proxy.exchange(GET), /\r\nhello\r\n0\r\n\r\n$|\r\n5\r\nhello\r\n0\r\n\r\n$/)
  })

  it('says nothing of a body before its end: 1xx has none, and no field that speaks of one', async () => {
    const early = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n'
    const proxy = await saying(`${early.replace(/Transfer.*\r\n/, '')}${OK}Content-Length: 5\r\n\r\nhello`, false)
    const [first = ''] = (await proxy.exchange(GET)).split('\r\n\r\n')
    assert.match(first, /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a>$/)
  })

  it('has no trailer that says what only a header may', async () => {
    const never = [
      'Content-Length: 3',
      'Transfer-Encoding: chunked',
      'Set-Cookie: a=b',
      'Location: /x',
      'Access-Control-Allow-Origin: *',
    ]
    const more = [
      'WWW-Authenticate: Basic',
      'Content-Encoding: gzip',
      'Cache-Control: public',
      'Host: x',
      'Clear-Site-Data: "*"',
    ]
    const dropped = ['Persistent-Auth: true', 'Public-Key-Pins: x', 'Expect-CT: x', 'SourceMap: /map', 'Date: today']
    const spelled = ['Set_Cookie: a=b', 'content.length: 3', 'X_Accel_Redirect: /x', 'PROXY~AUTHENTICATE: Basic']
    const proxy = await saying(
      `${CHUNKED}5\r\nhello\r\n0\r\n${[...never, ...more, ...dropped, ...spelled, 'Content-Digest: x', 'X-Sum: 1'].join('\r\n')}\r\n\r\n`,
      false,
    )
    assert.match(await proxy.exchange(GET), /\r\n0\r\nContent-Digest: x\r\nX-Sum: 1\r\n\r\n$/)
  })
})

describe('an upstream that breaks off in the middle of a body', () => {
  const broken: readonly (readonly [string, string, string])[] = [
    ['a length that is not reached', `${OK}Content-Length: 10\r\n\r\nhello`, 'reset'],
    ['chunks without an end', `${CHUNKED}5\r\nhello\r\n`, 'reset'],
    ['half a chunk', `${CHUNKED}5\r\nhel`, 'reset'],
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

  it("breaks the client's connection: a malformed chunk behind a good one", async () => {
    const upstream = await rawUpstream((socket) => void socket.write(`${CHUNKED}5\r\nhello\r\n`))
    const proxy = await proxyTo([upstream.port])
    opened.push(upstream, proxy)
    const client = connect(proxy.port, '127.0.0.1', () => client.write(GET))
    const closed = new Promise((resolve) => client.once('close', resolve))
    client.on('error', () => undefined)
    client.on('data', () => {
      for (const socket of upstream.sockets) socket.write('xyz\r\n')
    })
    await closed
    assert.equal(faultOf(proxy), 'protocol')
  })

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

  it('that come one segment later than an answer without a body reach nobody', async () => {
    const bodiless: readonly (readonly [string, string])[] = [
      ['HEAD', `${OK}Content-Length: 5\r\n\r\n`],
      ['GET', 'HTTP/1.1 204 No Content\r\nDate: x\r\n\r\n'],
      ['GET', 'HTTP/1.1 304 Not Modified\r\nDate: x\r\n\r\n'],
      ['GET', `${OK}Content-Length: 0\r\n\r\n`],
    ]
    for (const [method, answer] of bodiless) {
      const upstream = await rawUpstream((socket, data, nth) => {
        const own = /x-id: (\d+)/i.exec(data.toString('latin1'))?.[1] ?? ''
        if (nth > 0 || own !== '1') return void socket.write(`${OK}Content-Length: ${own.length}\r\n\r\n${own}`)
        socket.write(answer)
        setImmediate(() => setImmediate(() => socket.write(`${OK}Content-Length: 6\r\n\r\npoison`)))
      })
      const proxy = await proxyTo([upstream.port])
      opened.push(upstream, proxy)
      const asks = (nth: number, how = 'GET'): Promise<string> =>
        proxy.exchange(`${how} / HTTP/1.1\r\nHost: gate\r\nX-Id: ${nth}\r\nConnection: close\r\n\r\n`)
      await asks(1, method)
      for (let nth = 2; nth < 6; nth++) assert.match(await asks(nth), new RegExp(`\r\n\r\n${nth}$`))
    }
  })

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
