import { type Address, addressText, parseAddress } from '../address.ts'
import { parseTarget } from '../paths/target.ts'

/** A block of addresses of one family. IPv4 blocks cover v4-mapped addresses, IPv6 ones never do. */
interface Cidr {
  readonly address: Address
  readonly bits: number
}

/** Reads `10.0.0.0/8`, `fd00::/8` or a plain address; undefined when it is none. */
export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf('/')
  const address = parseAddress(slash === -1 ? text : text.slice(0, slash))
  if (address === undefined || text.includes('%')) return undefined
  const most = address.family === 4 ? 32 : 128
  if (slash === -1) return { address, bits: most }
  const written = text.slice(slash + 1)
  // `::ffff:10.0.0.0/104` counts its prefix over all 128 bits.
  const bits = Number(written) - (address.family === 4 && text.includes(':') ? 96 : 0)
  return /^[0-9]{1,3}$/.test(written) && bits >= 0 && bits <= most ? { address, bits } : undefined
}

/** What stands for the address of a peer behind a unix socket, which has none. */
export const UNIX_PEER = 'unix'

/** Peers whose forwarding headers count: blocks of addresses, and whoever may open the unix socket that is listened on. */
export type TrustedPeer = Cidr | typeof UNIX_PEER

/** {@link parseCidr} for each, `unix:` for {@link UNIX_PEER}; those that are neither are left out (config has refused them). */
export function parseTrustedPeers(texts: readonly string[]): readonly TrustedPeer[] {
  return texts.map((text) => (text === 'unix:' ? UNIX_PEER : parseCidr(text))).filter((peer) => peer !== undefined)
}

/** Whether a peer may say who it speaks for; false for what is no address. */
export function isTrustedPeer(address: string, trusted: readonly TrustedPeer[]): boolean {
  if (trusted.length === 0) return false
  if (address === UNIX_PEER) return trusted.includes(UNIX_PEER)
  const parsed = parseAddress(address)
  return parsed !== undefined && trusted.some((peer) => peer !== UNIX_PEER && covers(peer, parsed))
}

/** Who is at the other end, as far as it can be believed. */
export interface ResolvedClient {
  /** The nearest address that is no trusted proxy; dotted when it is v4-mapped. */
  readonly address: string
  /** The socket's peer; {@link UNIX_PEER} behind a unix socket. */
  readonly peerAddress: string
  readonly protocol: 'http' | 'https'
  /** `host[:port]` that the client used, as written; NOT checked to be a host (`parseHost` does that). */
  readonly host: string
  /** `host` is one of our names. False here: who knows them judges. */
  readonly own: boolean
  /** What others are told: `host`, unless it is neither ours nor a trusted proxy's word, then `public_url`'s. Here it is `host` still. */
  readonly authority: string
  /** The peer is a trusted proxy. */
  readonly trusted: boolean
  /** The client's X-Request-Id; from a trusted proxy only, and only 1 to 128 of letters, digits and `._-`. */
  readonly requestId: string | undefined
  /** X-Forwarded-For as it goes on: what a trusted proxy sent, and the peer; `unknown` (RFC 7239 §6.2) where nobody has an address. */
  readonly forwardedFor: string
  /** X-Forwarded-Prefix that a trusted proxy has taken off before us; '' for none. */
  readonly forwardedPrefix: string
}

interface ConnectionFacts {
  readonly peerAddress: string
  readonly rawHeaders: readonly string[]
  readonly trusted: readonly TrustedPeer[]
  readonly tls: boolean
  readonly hostHeader: string
}

/**
 * The client behind a connection. Forwarding headers count only when the peer is trusted: X-Forwarded-For is read from the
 * right over trusted hops; of several -Host or -Proto values the one written by the outermost of those hops is taken.
 */
export function resolveClient(facts: ConnectionFacts): ResolvedClient {
  const { rawHeaders, trusted, hostHeader } = facts
  const peerAddress = addressText(facts.peerAddress)
  const protocol = facts.tls ? 'https' : 'http'
  const forwardedFor = peerAddress === UNIX_PEER ? 'unknown' : peerAddress
  const socket = {
    address: peerAddress,
    peerAddress,
    protocol,
    host: hostHeader,
    authority: hostHeader,
    forwardedFor,
  } as const
  if (!isTrustedPeer(peerAddress, trusted)) {
    return { ...socket, own: false, trusted: false, requestId: undefined, forwardedPrefix: '' }
  }
  const chain = members(rawHeaders, 'x-forwarded-for')
  const { address, hops } = walk(peerAddress, chain, trusted)
  const proto = writtenBy(hops, members(rawHeaders, 'x-forwarded-proto'))?.toLowerCase()
  const host = writtenBy(hops, members(rawHeaders, 'x-forwarded-host')) ?? hostHeader
  return {
    address,
    peerAddress,
    protocol: proto === 'http' || proto === 'https' ? proto : protocol,
    host,
    authority: host,
    own: false,
    trusted: true,
    requestId: members(rawHeaders, 'x-request-id').find((id) => /^[\w.-]{1,128}$/.test(id)),
    forwardedFor: (peerAddress === UNIX_PEER && chain.length > 0 ? chain : [...chain, forwardedFor]).join(', '),
    forwardedPrefix: prefixOf(writtenBy(hops, members(rawHeaders, 'x-forwarded-prefix'))),
  }
}

/** Without final slashes; '' for what is no path that every reader takes alike: `//host` would lead to another site. */
function prefixOf(written = ''): string {
  const prefix = written.replace(/\/+$/, '')
  const parsed = parseTarget(prefix)
  return parsed.ok && parsed.target.query === '' ? prefix : ''
}

function covers({ address, bits }: Cidr, other: Address): boolean {
  if (address.family !== other.family) return false
  const width = address.family === 4 ? 8 : 16
  for (let i = 0, left = bits; left > 0; i++, left -= width) {
    const shift = left >= width ? 0 : width - left
    if ((address.parts[i] ?? 0) >> shift !== (other.parts[i] ?? 0) >> shift) return false
  }
  return true
}

/** From the peer leftwards while hops are trusted; stops at what is no address, since nobody trusted wrote beyond it. */
function walk(
  peer: string,
  entries: readonly string[],
  trusted: readonly TrustedPeer[],
): { address: string; hops: number } {
  let address = peer
  let hops = 1
  for (let i = entries.length - 1; i >= 0; i--) {
    const text = withoutPort(entries[i] ?? '')
    if (parseAddress(text) === undefined) break
    address = addressText(text)
    if (!isTrustedPeer(address, trusted)) break
    hops += 1
  }
  return { address, hops }
}

function writtenBy(hops: number, values: readonly string[]): string | undefined {
  return values[Math.max(0, values.length - hops)]
}

/** The members of a list field over all its lines, in order, empty ones left out. */
function members(rawHeaders: readonly string[], name: string): string[] {
  const found: string[] = []
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.toLowerCase() !== name) continue
    found.push(...(rawHeaders[i + 1] ?? '').split(',').map((member) => member.trim()))
  }
  return found.filter((member) => member !== '')
}

function withoutPort(text: string): string {
  if (text.startsWith('[')) return text.slice(1, text.indexOf(']'))
  const colon = text.indexOf(':')
  return colon !== -1 && colon === text.lastIndexOf(':') ? text.slice(0, colon) : text
}
