import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { pino } from 'pino'
import { logTo, type RequestLine } from '../../src/observe/log.ts'

const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme', maxLength: 90 }))
const maybe = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined })

const lines: fc.Arbitrary<RequestLine> = fc.record({
  request_id: text,
  traceparent: maybe(text),
  route: maybe(text),
  resource: maybe(text),
  method: text,
  host: maybe(text),
  path: maybe(text),
  status: maybe(fc.integer()),
  outcome: text,
  reason: maybe(text),
  detail: maybe(text),
  cause: maybe(text),
  sub: maybe(text),
  client: maybe(text),
  credential: text,
  basic_user: fc.option(text, { nil: undefined }),
  address: maybe(text),
  decide_ms: maybe(fc.double()),
  upstream_ms: maybe(fc.double()),
  total_ms: fc.double(),
  bytes_in: fc.maxSafeNat(),
  bytes_out: fc.maxSafeNat(),
})

describe('the line of a request', () => {
  it('is, whatever stands in it, what pino writes, on one line, with the time of the request', () => {
    const ours: string[] = []
    const theirs: string[] = []
    const log = logTo({ write: (line) => ours.push(line) })
    const level = (label: string) => ({ level: label })
    const plain = pino({ base: null, timestamp: false, formatters: { level } }, { write: (line) => theirs.push(line) })
    fc.assert(
      fc.property(lines, (line) => {
        const before = Date.now()
        log.request(line)
        plain.info(line, 'request')
        const [own = '', other] = [ours.pop(), theirs.pop()]
        const { time } = JSON.parse(own)
        assert.equal(own.replace(`"time":"${time}",`, ''), other)
        assert.equal(own.indexOf('\n'), own.length - 1)
        assert.ok(Date.parse(time) >= before && Date.parse(time) <= Date.now())
        assert.equal(new Date(time).toISOString(), time)
      }),
    )
  })
})
