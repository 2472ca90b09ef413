import type { Route } from './route.ts'
import { strippedPrefix } from './upstream-target.ts'

const NEVER_MULTISTATUS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'OPTIONS'])

/** Whether the answer may be a 207 whose hrefs have to be rewritten; such a request asks for identity encoding. */
export function mayAnswerMultistatus(route: Route, method: string): boolean {
  return !NEVER_MULTISTATUS.has(method) && strippedPrefix(route) !== ''
}

/** Whether this answer's body goes through `createHrefRewriter`: 207, XML, not encoded, and a stripped path. */
export function rewritesBody(route: Route, status: number, rawHeaders: readonly string[]): boolean {
  if (status !== 207 || strippedPrefix(route) === '') return false
  let xml = false
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]?.toLowerCase()
    const value = (rawHeaders[i + 1] ?? '').toLowerCase()
    if (name === 'content-type')
      xml = /^(text|application)\/([a-z.+-]*\+)?xml\b/.test(value) && !value.includes('utf-16')
    if (name === 'content-encoding' && value !== 'identity' && value !== '') return false
  }
  return xml
}
