import { parseAddress } from './address.ts'

const LABELS = /^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$/

/** A `host[:port]` taken apart. `host` is lower case and without a final dot; `port` is '' when none was given. */
export interface Authority {
  readonly host: string
  readonly port: string
}

/**
 * Reads the value of a `Host` field or the authority of a URL (RFC 9110 §7.2). Userinfo, spaces, an empty name, several
 * dots in a row and ports that are no number up to 65535 give undefined. An IPv6 literal keeps its brackets.
 */
export function parseAuthority(value: string): Authority | undefined {
  const split = value.startsWith('[') ? value.indexOf(']') + 1 : value.indexOf(':')
  const end = split === -1 ? value.length : split
  const port = value.slice(end + 1)
  if (end < value.length && (value[end] !== ':' || !isPort(port))) return undefined
  const host = value.startsWith('[') ? parseLiteral(value.slice(0, end)) : parseName(value.slice(0, end))
  return host === undefined ? undefined : { host, port }
}

/** The host of {@link parseAuthority}, for choosing a route; undefined when the value is no host. */
export function parseHost(value: string): string | undefined {
  return parseAuthority(value)?.host
}

function isPort(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 0x30 || code > 0x39) return false
  }
  return text.length <= 5 && Number(text) <= 65535
}

function parseName(text: string): string | undefined {
  // `gate.example.com.` is the same host to DNS, and must not slip past a route that names it.
  const name = (text.endsWith('.') ? text.slice(0, -1) : text).toLowerCase()
  return name.length <= 253 && LABELS.test(name) && !name.includes('..') ? name : undefined
}

function parseLiteral(text: string): string | undefined {
  const address = parseAddress(text.slice(1, -1))
  return address !== undefined && text.includes(':') && !text.includes('%') ? text.toLowerCase() : undefined
}
