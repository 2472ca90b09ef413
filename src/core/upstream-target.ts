import { parseAuthority } from './address.ts'
import type { ResolvedClient } from './forwarded.ts'
import type { Route, Upstream } from './route.ts'
import { relativeTo } from './router.ts'
import { type Target, urlPath } from './target.ts'

/**
 * The request target in the upstream's terms: without the route's path where `strip_path` says so, below the upstream's base path,
 * otherwise byte for byte as received.
 */
export function upstreamTarget(route: Route, upstream: Upstream, target: Target): string {
  const path = route.stripPath ? relativeTo(route.path, target.path) : target.path
  return upstream.basePath + path + target.query
}

/** The `Host` that the upstream sees: its own, or the client's with `preserve_host`. */
export function upstreamHost(route: Route, upstream: Upstream, client: ResolvedClient): string {
  return route.preserveHost ? client.host : upstream.authority
}

/** The route's path, as URLs have it, where it is taken off and has to be given back; '' otherwise. */
export function strippedPrefix(route: Route): string {
  return route.stripPath && route.path !== '/' ? urlPath(route.path) : ''
}

/**
 * An upstream's URI reference (RFC 3986 §4.1) in the client's terms: an absolute path gets the stripped prefix back, an absolute URL
 * of the upstream (or, where the path was stripped, of the host as the upstream saw it) becomes one of the host that the client
 * used. Others, relative ones too, are answered as they are.
 */
export function clientReference(route: Route, client: ResolvedClient, reference: string): string {
  if (reference.startsWith('/') && !reference.startsWith('//')) return clientPath(route, reference) ?? reference
  const [, scheme = '', authority = '', rest = ''] = /^(https?:)?\/\/([^/?#]*)(.*)$/is.exec(reference) ?? []
  if (authority === '' || !isUpstreams(route, client, scheme.toLowerCase(), authority)) return reference
  const path = clientPath(route, rest.startsWith('/') ? rest : `/${rest}`)
  return path === undefined ? reference : `${client.protocol}://${client.host}${path}`
}

/** Undefined for a path outside of the upstream's base path: no request of a client leads there. */
function clientPath(route: Route, path: string): string | undefined {
  const prefix = strippedPrefix(route)
  const base = route.upstreams.find(({ basePath }) => basePath !== '' && isBelow(basePath, path))?.basePath ?? ''
  if (base === '' && !route.upstreams.some(({ basePath }) => basePath === '')) return undefined
  return `${prefix}${path.slice(base.length)}` || '/'
}

function isBelow(base: string, path: string): boolean {
  const next = path[base.length]
  return path.startsWith(base) && (next === undefined || next === '/' || next === '?' || next === '#')
}

function isUpstreams(route: Route, client: ResolvedClient, scheme: string, authority: string): boolean {
  const hosts = route.upstreams.map((upstream) => ({ protocol: upstream.protocol, authority: upstream.authority }))
  for (const { protocol, authority: own } of hosts) {
    if ((scheme === '' || scheme === protocol) && sameAuthority(scheme || protocol, authority, own)) return true
  }
  return route.preserveHost && route.stripPath && sameAuthority(scheme || 'http:', authority, client.host)
}

/** Whether two authorities are one, where the default port of `scheme` (`http:` or `https:`) may be left out. */
export function sameAuthority(scheme: string, one: string, other: string): boolean {
  const left = parseAuthority(one)
  const right = parseAuthority(other)
  if (left === undefined || right === undefined || left.host !== right.host) return false
  const standard = scheme === 'https:' ? '443' : '80'
  return (left.port || standard) === (right.port || standard)
}

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
