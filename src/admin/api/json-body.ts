import type { IncomingHttpHeaders } from 'node:http'
import { Problem } from '../problem.ts'

/**
 * A body of JSON in UTF-8 (RFC 8259 §8.1); undefined where nothing was sent. Throws the problem for what two readers could understand
 * differently: another charset or coding, bytes that are no UTF-8, and an object that has a member twice.
 */
export function readJson(headers: IncomingHttpHeaders, bytes: Buffer): unknown {
  const charset = /;\s*charset\s*=\s*"?([^\s;"]*)/i.exec(headers['content-type'] ?? '')?.[1]
  if (charset !== undefined && charset.toLowerCase() !== 'utf-8') throw unsupported('send application/json in UTF-8')
  if ((headers['content-encoding'] ?? 'identity').toLowerCase() !== 'identity')
    throw unsupported('send the body as it is, without Content-Encoding')
  if (bytes.length === 0) return undefined
  const text = decoded(bytes)
  const value = parsed(text)
  const twice = repeatedName(text)
  if (twice !== undefined) throw unread(`the body has a member that is there already: ${JSON.stringify(twice)}`)
  return value
}

function unsupported(what: string): Problem {
  return new Problem(415, 'unsupported_media_type', what)
}

function unread(why: string): Problem {
  return new Problem(400, 'invalid_request', why)
}

function decoded(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw unread('the body is no UTF-8')
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw unread('the body is no JSON')
  }
}

/** A string with what makes it a name, or a bracket: of JSON that was read already. */
const PARTS = /"(?:[^"\\]|\\.)*"(\s*:)?|[{}]/g

/** A name that one object has twice; the one by which prototypes are reached is there in any. */
function repeatedName(text: string): string | undefined {
  const open: Set<unknown>[] = []
  for (const [part, colon] of text.matchAll(PARTS)) {
    if (part === '{') open.push(new Set(['__proto__']))
    else if (part === '}') open.pop()
    else if (colon !== undefined) {
      const name: string = JSON.parse(part.slice(0, -colon.length))
      if (open.at(-1)?.has(name)) return name
      open.at(-1)?.add(name)
    }
  }
  return undefined
}
