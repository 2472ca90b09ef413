import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { maskTicket, readTicket, withoutTicket, withoutTicketInQuery } from '../../../../src/core/paths/ticket-url.ts'

const T = 'Ab_-0'.repeat(12)

/** Request targets, and the same without the ticket. */
const IN_QUERY = {
  'as it is written': [`/a?audgate_ticket=${T}&b=1`, '/a?b=1'],
  'with its name percent-encoded': [`/a?b=1&audgate%5Fticket=${T}`, '/a?b=1'],
  'with other characters of it encoded': [`/a?%61udgate_ticke%74=${T}`, '/a'],
  'with its value percent-encoded': [`/a?audgate_ticket=${T.replaceAll('_', '%5F')}`, '/a'],
} as const
const TO_SOME_READERS = {
  'encoded twice': [`/a?audgate%255Fticket=${T}`, '/a'],
  'in another letter case': [`/a?b&Audgate_Ticket=${T}&c`, '/a?b&c'],
  'behind a semicolon': [`/a?b=1;audgate_ticket=${T};c=2&d`, '/a?b=1;c=2&d'],
  'behind an ampersand that was escaped for HTML': [`/a?b=1&amp;audgate_ticket=${T}`, '/a?b=1&amp'],
  'with what PHP takes for the underscore': [`/a?audgate.ticket=${T}&audgate+ticket=${T}&audgate%5bticket=${T}`, '/a'],
  'with what is taken off before a name': [`/a?+audgate_ticket=${T}&%20audgate_ticket=${T}&c`, '/a?c'],
  'as a member of a list': [`/a?audgate_ticket[]=${T}&audgate_ticket%5B0%5D=${T}`, '/a'],
  'within an address in a value': [
    `/a?file=/doc.pdf%3Faudgate%5Fticket%3D${T}%26page%3D2`,
    '/a?file=/doc.pdf%3Faudgate%5Fticket%3D%26page%3D2',
  ],
  'in the path of an address in a value': [`/a?u=%2F.audgate%2Ft%2F${T}%2Fa.jpg&v=1`, '/a?u=%2Fa.jpg&v=1'],
} as const

describe('a ticket in a query', () => {
  for (const [how, [target, rest]] of Object.entries(IN_QUERY))
    it(`counts ${how}, and is cut`, () => {
      assert.deepEqual(readTicket(target), { ticket: T, form: 'query' })
      assert.equal(withoutTicketInQuery(target), rest)
      assert.equal(withoutTicket(`https://h${target}`), `https://h${rest}`)
    })
  for (const [how, [target, rest]] of Object.entries(TO_SOME_READERS))
    it(`counts as none ${how}, and is cut nevertheless`, () => {
      assert.equal(readTicket(target), undefined)
      assert.equal(withoutTicketInQuery(target), rest)
      assert.equal(withoutTicket(`https://h${target}`), `https://h${rest}`)
    })
  it('counts as none where it stands twice, in whatever spelling', () => {
    for (const other of ['audgate_ticket', 'audgate%5fticket', '%61udgate_ticket'])
      assert.equal(readTicket(`/a?audgate_ticket=${T}&${other}=x`), 'several')
    assert.equal(readTicket(`/.audgate/t/${T}/a?audgate%5Fticket=${T}`), 'several')
  })
})

describe('a target without a ticket', () => {
  const others = ['/a?', '/a%20b?c=%', '/a?q=audgate_ticket%3Dword', '/a?audgate_tickets=1', '/a?b=;;c&&d=%3B', '/%61']
  for (const target of others)
    it(`${target} stays byte for byte`, () => {
      assert.equal(readTicket(target), undefined)
      assert.equal(withoutTicket(target), target)
      assert.equal(withoutTicketInQuery(target), target)
      assert.equal(maskTicket(target), target)
    })
})

describe('a ticket in a path', () => {
  it('is cut from a reference, in whatever spelling', () => {
    for (const prefix of ['/.audgate/t/', '/%2Eaudgate/t/', '/.AUDGATE/T/', '/.audgate%2Ft%2F'])
      assert.equal(withoutTicket(`http://h${prefix}${T}/a/b`), 'http://h/a/b')
  })
  it('is masked for the log, where the path is refused, too', () => {
    for (const prefix of ['/.audgate/t/', '/%2eaudgate/t/', '/.%61udgate/t/', '/.Audgate/t/'])
      assert.equal(maskTicket(`${prefix}${T}/a`), `${prefix}[ticket]/a`)
    assert.equal(maskTicket(`/a%3Faudgate_ticket=${T}`), '/a%3Faudgate_ticket=[ticket]')
  })
})

describe('cutting tickets', () => {
  it('reads the longest targets in time that grows with their length alone', () => {
    const long = ['%25', '/.audgate/t/', 'audgate_ticket=', '+%20', '%2f.', '&;', 'audgate%5f'].map((text) =>
      text.repeat(Math.ceil(32_000 / text.length)),
    )
    for (const text of [...long, `%${'25'.repeat(16_000)}`, `/.audgate/t/${'%2525'.repeat(6_000)}`]) {
      const before = process.cpuUsage()
      withoutTicket(`/a?${text}`)
      maskTicket(text)
      assert.ok(process.cpuUsage(before).user < 200_000, text.slice(0, 20))
    }
  })
})
