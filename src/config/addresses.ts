import { parseAddress, parseAuthority, parseHost } from '../core/address.ts'
import type { Upstream } from '../core/route.ts'
import type { ListenAddress, TcpAddress } from './config.ts'
import { faulty, isTailNormal, type Parsed, parsed, parseHttpUrl } from './schema/leaf.ts'

/** Said of `listen: 8080` too, which YAML takes for a number. */
export const LISTEN_FORM = 'must be host:port, such as localhost:8080 or [::1]:8080'

/** In a list of trusted proxies: whoever may open the unix socket that is listened on. */
const UNIX_PROXIES = 'unix:'

const LISTEN = /^(.*):(\d{1,5})$/

// 0 to 2 are standard input, output and errors.
const DESCRIPTOR = /^fd:([3-9]|[1-9]\d{1,4})$/

/** {@link parseTcpAddress}, `unix:PATH` of a socket to be made, or `fd:N` of one that was handed over open (socket activation). */
export function parseListen(text: string): Parsed<ListenAddress> {
  if (text.startsWith('unix:')) return parseSocketPath(text.slice('unix:'.length))
  if (!text.startsWith('fd:')) return parseTcpAddress(text)
  const [, digits] = DESCRIPTOR.exec(text) ?? []
  return digits === undefined ? faulty('must be fd:N with a descriptor from 3 on') : parsed({ fd: Number(digits) })
}

/** Relative paths are made absolute where the file's folder is known. */
function parseSocketPath(path: string): Parsed<{ readonly path: string }> {
  if (path === '' || /[\p{Cc}]/u.test(path)) return faulty('must be unix:PATH with the path of a socket')
  return parsed({ path })
}

/** `localhost:8080`, `[::1]:8080`, or `:8080` for every address of the machine (host ''). Port 0 is for the system to choose. */
export function parseTcpAddress(text: string): Parsed<TcpAddress> {
  const [, host, digits] = LISTEN.exec(text) ?? []
  const port = Number(digits)
  if (host === undefined || port > 65535) return faulty(LISTEN_FORM)
  if (host === '') return parsed({ host: '', port })
  const known = parseHost(host)
  if (known === undefined) return faulty('must be host:port with a host name or address; IPv6 in brackets: [::1]:8080')
  return parsed({ host: known.replace(/^\[|\]$/g, ''), port })
}

/** `10.0.0.0/8`, or `unix:`; a plain address is a network of one. The result always has a prefix length, v4-mapped IPv6 is IPv4. */
export function parseNetwork(text: string): Parsed<string> {
  if (text === UNIX_PROXIES) return parsed(text)
  const [address = '', length, ...rest] = text.split('/')
  const network = address.includes('%') ? undefined : parseAddress(address)
  const mapped = network?.family === 4 && address.includes(':')
  const bits = length === undefined ? undefined : prefixBits(length, mapped ? 96 : 0)
  const most = network?.family === 4 ? 32 : 128
  if (network === undefined || rest.length > 0 || Number.isNaN(bits) || (bits ?? 0) > most || (bits ?? 0) < 0) {
    return faulty('must be an address or a network such as 10.0.0.0/8 or fd00::/8')
  }
  const plain = network.family === 4 ? network.parts.join('.') : address.toLowerCase()
  return parsed(`${plain}/${bits ?? most}`)
}

/** The host of a route: a name or an address without port, in lower case. */
export function parseRouteHost(text: string): Parsed<string> {
  const authority = parseAuthority(text)
  if (authority === undefined) return faulty('must be a host name such as photos.example.com; wildcards are not read')
  return text.endsWith(':') || authority.port !== ''
    ? faulty('must be a host name without port; the port does not choose a route')
    : parsed(authority.host)
}

/**
 * `http://10.0.0.5:2283`, with a path that is put before the request's, or `unix:/run/photos.sock`. An IPv6 `hostname` has no brackets: it is for
 * sockets.
 */
export function parseUpstream(text: string): Parsed<Upstream> {
  if (/^unix:/i.test(text)) return parseUpstreamSocket(text.slice('unix:'.length))
  if (/^https?:\/\/unix:?\//i.test(text))
    return faulty('is a host named unix; a socket is written as unix:/run/photos.sock')
  const result = parseHttpUrl(text)
  if (!result.ok) return result
  const { protocol, hostname, port, host, pathname } = result.value
  if (port === '0') return faulty('must not have port 0: nobody can be reached there')
  if (text.includes('?')) return faulty('must not have a query; only a path can be put before the request’s')
  const basePath = pathname.replace(/\/$/, '')
  if (basePath.includes('//') || /%(2f|5c|00)/i.test(basePath) || !isTailNormal(text, result.value)) {
    return faulty('must have a plain path, without dot segments, // or encoded slashes')
  }
  const secure = protocol === 'https:'
  return parsed({
    protocol: secure ? 'https:' : 'http:',
    hostname: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? (secure ? 443 : 80) : Number(port),
    authority: host,
    basePath,
  })
}

/** Who is asked over a socket has no name of its own; servers take this one for themselves. */
function parseUpstreamSocket(path: string): Parsed<Upstream> {
  if (!/^\/[^\0]*[^/\0]$/.test(path) || path.startsWith('//'))
    return faulty('must be unix: and the absolute path of a socket')
  const socket = { hostname: 'localhost', port: 80, authority: 'localhost', basePath: '', socketPath: path }
  return parsed({ protocol: 'http:', ...socket })
}

function prefixBits(text: string, offset: number): number {
  return /^\d{1,3}$/.test(text) ? Number(text) - offset : Number.NaN
}
