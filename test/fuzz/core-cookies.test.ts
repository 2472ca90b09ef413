import assert from 'node:assert/strict'
import { describe } from 'node:test'
import { parseCookie } from 'cookie'
import fc from 'fast-check'
import { setsOwnCookie, withoutOwnCookies } from '../../src/core/headers/own-cookies.ts'
import { holds } from './core-property.ts'

type Reader = (value: string) => string[]

/** How servers of several kinds find the names in a Cookie field. */
const READERS: Readonly<Record<string, Reader>> = {
  node: (value) => Object.keys(parseCookie(value)),
  koa: (value) => [...value.matchAll(/(?:^|;) *([^=;]*)=[^;]*/g)].map(([, name = '']) => name),
  go: (value) => value.split(';').map((piece) => (piece.trim().split('=', 1)[0] ?? '').trim()),
  django: (value) =>
    value.split(';').map((piece) => (piece.includes('=') ? (piece.split('=', 1)[0] ?? '') : piece).trim()),
  python,
  rack: (value) => value.split(/[;,] */).map((piece) => unescaped(piece.split('=', 1)[0] ?? '')),
  servlet: (value) =>
    [...value.matchAll(/(?:^|[\s,;]+)([^=,;\s]+)(?:\s*=\s*("[^"]*"|[^,;\s]*))?/gy)].map(([, name = '']) => name),
  php: (value) =>
    value.split(';').map((piece) => unescaped((piece.split('=', 1)[0] ?? '').trimStart()).replace(/[ .[]/g, '_')),
}

/** http.cookies: white space separates, quotes hold anything, and the first piece that is none ends it. */
function python(value: string): string[] {
  const chars = "\\w!#%&'~_`><@,:/$*+\\-.^|)(?}{="
  const pattern = new RegExp(
    `\\s*([${chars}]+?)(\\s*=\\s*("(?:[^\\\\"]|\\\\.)*"|[${chars}\\[\\]]*))?\\s*(\\s+|;|$)`,
    'y',
  )
  const names: string[] = []
  for (let match = pattern.exec(value); match !== null && match[0] !== ''; match = pattern.exec(value)) {
    if (match[2] !== undefined) names.push(match[1] ?? '')
  }
  return names
}

function unescaped(text: string): string {
  return text
    .replaceAll('+', ' ')
    .replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
}

const OURS = /^(__Host-|__Secure-)?audgate_/i

/** One of our names as some reader might spell it: escapes, cases, and what readers take for `_`. */
const spelled = fc
  .tuple(
    fc.constantFrom(
      '',
      '',
      '__Host-',
      '__Secure-',
      '__Host-__Secure-',
      '_-',
      '$',
      ' ',
      '=',
      '"',
      '\u00a0',
      '\x80',
      '%20',
    ),
    fc.tuple(...[...'audgate_session'].map((char) => spellings(char))).map((chars) => chars.join('')),
  )
  .map((parts) => parts.join(''))

function spellings(char: string): fc.Arbitrary<string> {
  const hex = char.charCodeAt(0).toString(16)
  const odd = char === '_' ? ['.', '[', ' ', '+', '%2e', '%5B', '%20', '-'] : [char.toUpperCase()]
  return fc.oneof(
    { weight: 12, arbitrary: fc.constant(char) },
    { weight: 1, arbitrary: fc.constantFrom(`%${hex}`, `%${hex.toUpperCase()}`, `%25${hex}`, ...odd) },
  )
}

const name = fc.oneof(
  { weight: 2, arbitrary: spelled },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      ...['audgate_session', '__Host-audgate_session', '__secure-AUDGATE_device', '%61udgate_x', 'audgate.x'],
      ...['a', 'b', '$Version', '$Path', '$Domain', '__Host-', '__Secure-a', 'audgate', '_'],
    ),
  },
)
const glue = fc.constantFrom(
  '=',
  ';',
  ' ',
  '; ',
  ',',
  ', ',
  '"',
  '\\',
  '\t',
  '\u00a0',
  '=',
  '==',
  '',
  '+',
  '.',
  '[',
  "'",
  ...['\r', '\n', '\x0b', '\x0c', '\x00', '\x7f', '\x85', '\xff', '&', ':', '|', '{', '(', '%3D', '%3B', '%2C', '%22'],
)
const text = fc
  .array(fc.tuple(name, glue, fc.constantFrom('', 'v', '"v"', '"', '{"a": 1}'), glue), { maxLength: 6 })
  .map((all) => all.flat().join(''))

describe('no cookie of the gateway\u2019s own', () => {
  holds(
    'goes upstream, whoever reads the field there',
    [text],
    (value) => {
      const left = withoutOwnCookies(value) ?? ''
      for (const [kind, read] of Object.entries(READERS)) {
        assert.deepEqual(
          read(left).filter((each) => OURS.test(each)),
          [],
          `${kind}: ${value} -> ${left}`,
        )
      }
    },
    5000,
  )

  holds(
    'comes from an upstream: what a browser would send for it holds no name of ours',
    [text],
    (value) => {
      if (setsOwnCookie(value)) return
      const sent = (value.split(';', 1)[0] ?? '').trim().replace(/^=/, '')
      for (const [kind, read] of Object.entries(READERS)) {
        assert.deepEqual(
          read(sent).filter((each) => OURS.test(each)),
          [],
          `${kind}: ${value} -> ${sent}`,
        )
      }
    },
    5000,
  )

  holds(
    'costs the others a byte',
    [
      fc.array(
        fc.stringMatching(/^[a-z]{1,5}=[!-:<-~ ]{0,8}$/).filter((each) => !/[,"' %]/.test(each)),
        { maxLength: 4 },
      ),
    ],
    (cookies) => {
      const value = cookies.join('; ')
      assert.equal(withoutOwnCookies(value), value)
      assert.equal(
        withoutOwnCookies(['audgate_x=1', ...cookies, '__Host-audgate_y=2'].join('; ')),
        value.trim() || undefined,
      )
    },
  )
})
