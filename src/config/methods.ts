import { METHODS } from '../core/method.ts'
import type { MethodSet } from '../core/route.ts'
import { faulty, type Parsed, parsed } from './leaf.ts'
import { nearest } from './nearest.ts'

/** What `read` stands for; `write` is every other method. */
const READ: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PROPFIND', 'REPORT', 'SEARCH'])

const WORDS: readonly string[] = ['read', 'write', 'any']

/** `read`, `write`, `any` or a method as clients send it: methods are case-sensitive (RFC 9110 §9.1). */
export function parseMethod(text: string): Parsed<string> {
  if (WORDS.includes(text)) return parsed(text)
  const capitals = text.toUpperCase()
  if (METHODS.includes(capitals) && capitals !== text) return faulty(`must be in capitals: ${capitals}`)
  if (/^[A-Z0-9!#$%&'*+.^_`|~-]{1,64}$/.test(text)) return parsed(text)
  const near = nearest(text, [...WORDS, ...METHODS])
  return faulty(
    `must be read, write, any or a method such as GET${near === undefined ? '' : `; did you mean ${near}?`}`,
  )
}

/** The methods that a rule's words cover together. GET implies HEAD. */
export function methodSet(words: readonly string[]): MethodSet {
  const named = new Set(words.filter((word) => !WORDS.includes(word)))
  if (named.has('GET')) named.add('HEAD')
  if (words.includes('read')) for (const method of READ) named.add(method)
  if (words.includes('any')) return 'any'
  if (!words.includes('write')) return named
  const except = new Set([...READ].filter((method) => !named.has(method)))
  return except.size === 0 ? 'any' : { except }
}
