import type { ResolvedClient } from './forwarded.ts'
import { parseAuthority } from './host.ts'
import type { Route } from './route.ts'
import { strippedPrefix } from './upstream-target.ts'

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
