import type { ClientType } from '../store/store.ts'

const LONGEST = 2048
const LOOPBACK: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]'])

/**
 * What is wrong with a redirect URI of a client of `type` (RFC 8252 §7, RFC 9700 §4.1), in words that say what to do;
 * undefined: nothing. Later it is compared byte for byte; only loopback ports of `native` clients are free.
 */
export function redirectUriProblem(type: ClientType, uri: string): string | undefined {
  if (type === 'service') return 'A service client has no redirect URI.'
  const problem = shapeProblem(uri)
  if (problem !== undefined) return `Redirect URI ${JSON.stringify(uri.slice(0, 200))} ${problem}.`
  const { protocol, hostname } = new URL(uri)
  if (protocol === 'https:') return undefined
  if (protocol === 'http:') {
    return LOOPBACK.has(hostname) ? undefined : `Redirect URI ${uri} must use https; http is for localhost only.`
  }
  if (type === 'native' && privateUse(uri, protocol)) return undefined
  const allowed = type === 'native' ? 'https, http://127.0.0.1 or a scheme like com.example.app:/' : 'https'
  return `Redirect URI ${uri} must use ${allowed}.`
}

/** Whether it leads to the person's own machine over http, where the port is not known before (RFC 8252 §7.3). */
export function isLoopbackRedirect(uri: string): boolean {
  const url = URL.parse(uri)
  return url !== null && url.protocol === 'http:' && LOOPBACK.has(url.hostname)
}

function shapeProblem(uri: string): string | undefined {
  if (uri.length > LONGEST) return `is longer than ${LONGEST} characters`
  // URL parsers drop some of these silently, so that what is compared would not be what is followed.
  if (/[^\x21-\x7e]|[\\<>"^`{|}]/.test(uri)) return 'contains characters that a URI cannot have'
  if (uri.includes('#')) return 'must not have a fragment'
  if (uri.includes('*')) return 'must not contain a wildcard; register each URI'
  const url = URL.parse(uri)
  if (url === null) return 'is not an absolute URI'
  if (url.username !== '' || url.password !== '') return 'must not contain a user name or password'
  if (/^https?:(?!\/\/)/i.test(uri)) return 'is not an absolute URI'
  return undefined
}

/** A scheme made of a domain name turned round (RFC 8252 §7.1): with a dot, so never `javascript:` and the like. */
function privateUse(uri: string, protocol: string): boolean {
  return /^[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+:$/.test(protocol) && uri.slice(protocol.length).startsWith('/')
}
