/** An IP address as numbers: 4 bytes (IPv4 and v4-mapped IPv6) or 8 groups of 16 bits (IPv6). */
export interface Address {
  readonly family: 4 | 6
  readonly parts: readonly number[]
}

const HEX_GROUP = /^[0-9a-fA-F]{1,4}$/
const DECIMAL_BYTE = /^(0|[1-9][0-9]{0,2})$/

/**
 * Whom an address stands for when tries are counted or shared out. A subscriber is handed a whole IPv6 network: `narrow` is the /64 of one
 * link, `wide` the /56 of one household. For IPv4 both are the address.
 */
export interface AddressGroup {
  readonly narrow: string
  readonly wide: string
}

/**
 * Reads an address in any usual spelling; a zone (`%eth0`) is dropped and `::ffff:10.0.0.1` is 10.0.0.1. Octal, hex and
 * shortened IPv4 spellings give undefined: readers disagree about them.
 */
export function parseAddress(text: string): Address | undefined {
  if (!text.includes(':')) return parseIpv4(text)
  const zone = text.indexOf('%')
  const groups = parseGroups(zone === -1 ? text : text.slice(0, zone))
  if (groups === undefined) return undefined
  return isMapped(groups) ? { family: 4, parts: bytesOf(groups.slice(6)) } : { family: 6, parts: groups }
}

/** The address in its usual spelling: dotted for IPv4 and v4-mapped, else as given without zone and in lower case. */
export function addressText(text: string): string {
  if (!text.includes(':')) return text
  // What the system says of IPv4 peers on a socket for both families: on every request there.
  if (text.startsWith('::ffff:') && text.includes('.')) return text.slice(7)
  const address = parseAddress(text)
  if (address?.family === 4) return address.parts.join('.')
  const zone = text.indexOf('%')
  return (zone === -1 ? text : text.slice(0, zone)).toLowerCase()
}

function parseIpv4(text: string): Address | undefined {
  const bytes = text.split('.')
  if (bytes.length !== 4 || !bytes.every((byte) => DECIMAL_BYTE.test(byte) && Number(byte) <= 255)) return undefined
  return { family: 4, parts: bytes.map(Number) }
}

function parseGroups(text: string): number[] | undefined {
  const gap = text.indexOf('::')
  if (gap === -1) return exactly(8, groupsIn(text))
  const head = gap === 0 ? [] : groupsIn(text.slice(0, gap))
  const tail = gap + 2 === text.length ? [] : groupsIn(text.slice(gap + 2))
  if (head === undefined || tail === undefined || head.length + tail.length > 7) return undefined
  return [...head, ...new Array<number>(8 - head.length - tail.length).fill(0), ...tail]
}

function groupsIn(text: string): number[] | undefined {
  const groups: number[] = []
  const pieces = text.split(':')
  for (const [index, piece] of pieces.entries()) {
    const dotted = index === pieces.length - 1 && piece.includes('.') ? parseIpv4(piece) : undefined
    if (dotted !== undefined) groups.push(...pairsOf(dotted.parts))
    else if (HEX_GROUP.test(piece)) groups.push(Number.parseInt(piece, 16))
    else return undefined
  }
  return groups
}

function exactly(count: number, groups: number[] | undefined): number[] | undefined {
  return groups?.length === count ? groups : undefined
}

function isMapped(groups: readonly number[]): boolean {
  return groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0)
}

function bytesOf(groups: readonly number[]): number[] {
  return groups.flatMap((group) => [group >> 8, group & 0xff])
}

function pairsOf(bytes: readonly number[]): number[] {
  const [a = 0, b = 0, c = 0, d = 0] = bytes
  return [(a << 8) | b, (c << 8) | d]
}

const LABELS = /^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$/

/** A `host[:port]` taken apart. `host` is lower case and without a final dot; `port` is '' when none was given. */
interface Authority {
  readonly host: string
  readonly port: string
}

/**
 * Reads the value of a `Host` field or the authority of a URL (RFC 9110 §7.2). Userinfo, spaces, an empty name, several
 * dots in a row and ports that are no number up to 65535 give undefined. An IPv6 literal keeps its brackets and has its one usual spelling
 * (RFC 5952), a port no leading zeros.
 */
export function parseAuthority(value: string): Authority | undefined {
  const split = value.startsWith('[') ? value.indexOf(']') + 1 : value.indexOf(':')
  const end = split === -1 ? value.length : split
  const port = value.slice(end + 1)
  if (end < value.length && (value[end] !== ':' || !isPort(port))) return undefined
  const host = value.startsWith('[') ? parseLiteral(value.slice(0, end)) : parseName(value.slice(0, end))
  return host === undefined ? undefined : { host, port: port === '' ? '' : String(Number(port)) }
}

/** The host of {@link parseAuthority}, for choosing a route; undefined when the value is no host. */
export function parseHost(value: string): string | undefined {
  return parseAuthority(value)?.host
}

/** The groups of an address in any usual spelling; what is no address is a group of its own. */
export function addressGroup(text: string): AddressGroup {
  const address = parseAddress(text)
  if (address === undefined) return { narrow: text, wide: text }
  if (address.family === 4) {
    const whole = address.parts.join('.')
    return { narrow: whole, wide: whole }
  }
  const [a = 0, b = 0, c = 0, d = 0] = address.parts
  const network = (last: number, bits: number): string =>
    `${[a, b, c, last].map((part) => part.toString(16)).join(':')}::/${bits}`
  return { narrow: network(d, 64), wide: network(d & 0xff00, 56) }
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
  if (address === undefined || !text.includes(':') || text.includes('%')) return undefined
  return URL.parse(`http://${text}`)?.hostname
}
