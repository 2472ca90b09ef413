/** An IP address as numbers: 4 bytes (IPv4 and v4-mapped IPv6) or 8 groups of 16 bits (IPv6). */
export interface Address {
  readonly family: 4 | 6
  readonly parts: readonly number[]
}

const HEX_GROUP = /^[0-9a-fA-F]{1,4}$/
const DECIMAL_BYTE = /^(0|[1-9][0-9]{0,2})$/

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
