import { parseAuthority } from '../address.ts'
import type { ResolvedClient } from '../headers/forwarded.ts'
import type { Route } from '../route.ts'
import { urlPath } from './target.ts'

/** The route's path, as URLs have it, where it is taken off and has to be given back; '' otherwise. */
export function strippedPrefix(route: Route): string {
  return route.stripPath && route.path !== '/' ? urlPath(route.path) : ''
}

/** Whether paths differ between client and upstream. */
export function mapsPaths(route: Route): boolean {
  return strippedPrefix(route) !== '' || route.upstreams.some(({ basePath }) => basePath !== '')
}

/**
 * An upstream's URI reference (RFC 3986 §4.1) in the client's terms: an absolute path gets the stripped prefix back, an absolute URL
 * of the upstream (or, where the path was stripped, of the host as the upstream saw it) becomes one of the host that the client
 * used. Others, relative ones too, are answered as they are. What was a path stays one, for browsers too, which take `\` for `/` and pass over
 * tabs: a reference that is put in other terms never leads to another site.
 */
export function clientReference(route: Route, client: ResolvedClient, reference: string): string {
  const read = asBrowsersRead(reference)
  const text = withoutScheme(route, read)
  const [, scheme = '', authority = '', rest = ''] = /^(https?:)?[/\\]{2,}([^/\\?#]*)(.*)$/is.exec(text) ?? []
  if (authority !== '' && isUpstreams(route, client, scheme.toLowerCase(), authority)) {
    const path = clientPath(route, rest.startsWith('/') ? rest : `/${rest}`)
    if (path === undefined) return reference
    // On a host that is none of ours the path alone leads back, and nobody else's name is repeated.
    return client.authority === client.host ? `${client.protocol}://${client.host}${path}` : rooted(path)
  }
  if (/^\/(?!\/)/.test(text) && mapsPaths(route)) {
    const path = clientPath(route, text)
    if (path !== undefined) return rooted(path)
  }
  return text === read ? reference : text
}

/** Line ends and tabs count nowhere, white space and control bytes not at the ends (URL Standard §4.4). */
function asBrowsersRead(reference: string): string {
  return reference
    .replace(/[\t\r\n]+/g, '')
    .replace(/^[\0-\x20]+/, '')
    .trimEnd()
}

/** `http:/a` and `http:a` are relative on a page of the same scheme (URL Standard §4.4), which the client's may not be. */
function withoutScheme({ upstreams }: Route, text: string): string {
  const scheme = /^https?:(?![/\\]{2})/i.exec(text)?.[0].toLowerCase()
  if (scheme === undefined || !upstreams.some(({ protocol }) => protocol === scheme)) return text
  const rest = text.slice(scheme.length)
  // A first segment with a colon would be a scheme again (RFC 3986 §4.2), and white space in front would go.
  return /^(?:[^/?#]*:|[\0-\x20])/.test(rest) ? `./${rest}` : rest
}

/** A path that begins like an authority gets a segment that means nothing before it (RFC 3986 §4.2). */
function rooted(path: string): string {
  return /^\/[/\\]/.test(path) ? `/.${path}` : path
}

/**
 * An absolute path with whatever follows it. Undefined outside of the upstream's base path: no request of a client leads there.
 */
function clientPath(route: Route, path: string): string | undefined {
  const resolved = withoutDots(path)
  const base = baseAbove(route, resolved)
  if (base === undefined) return undefined
  const prefix = strippedPrefix(route)
  const rest = resolved.slice(base.length)
  return rest.startsWith('/') || prefix !== '' ? prefix + rest : `/${rest}`
}

/** The base path below which `path` lies; '' where an upstream has none. */
function baseAbove({ upstreams }: Route, path: string): string | undefined {
  const above = upstreams.find(({ basePath }) => basePath !== '' && isBelow(basePath, path))?.basePath
  return above ?? (upstreams.some(({ basePath }) => basePath === '') ? '' : undefined)
}

function isBelow(base: string, path: string): boolean {
  const next = path[base.length]
  return path.startsWith(base) && (next === undefined || next === '/' || next === '?' || next === '#')
}

const DOTS = /[/\\](?:\.|%2e){1,2}(?=[/\\?#]|$)/i

/** Dot segments lead out of what is cut off in front of them, so they go first (RFC 3986 §5.2.4). */
function withoutDots(path: string): string {
  if (!DOTS.test(path)) return path
  const end = path.search(/[?#]/)
  const segments = (end === -1 ? path : path.slice(0, end)).split(/[/\\]/).slice(1)
  const kept: string[] = []
  for (const [i, segment] of segments.entries()) {
    const dots = /^(?:\.|%2e){1,2}$/i.test(segment) ? segment.replace(/%2e/gi, '.').length : 0
    if (dots === 2) kept.pop()
    if (dots === 0) kept.push(segment)
    else if (i === segments.length - 1) kept.push('')
  }
  return `/${kept.join('/')}${end === -1 ? '' : path.slice(end)}`
}

function isUpstreams(route: Route, client: ResolvedClient, scheme: string, authority: string): boolean {
  for (const { protocol, authority: own } of route.upstreams) {
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

/** The targets and anchors of a `Link` field (RFC 8288 §3) in the client's terms. */
export function clientLink(route: Route, client: ResolvedClient, value: string): string {
  const parts = /<([^<>]*)>|\b(anchor[\t ]*=[\t ]*)"([^"\\]*)"|"(?:[^"\\]|\\.)*"/gi
  return value.replace(parts, (part: string, target?: string, key?: string, anchor?: string) => {
    if (target !== undefined) return `<${clientReference(route, client, target)}>`
    return anchor === undefined ? part : `${key}"${clientReference(route, client, anchor)}"`
  })
}

/** A `Refresh` field (HTML, "refresh" state) in the client's terms. */
export function clientRefresh(route: Route, client: ResolvedClient, value: string): string {
  const parts = /^([\t ]*[0-9.]+[\t ]*[;,]?[\t ]*(?:url[\t ]*=[\t ]*)?)(["']?)(.*)$/is.exec(value)
  if (parts === null) return value
  const [, before = '', quote = '', rest = ''] = parts
  const end = quote === '' ? -1 : rest.indexOf(quote)
  const url = end === -1 ? rest : rest.slice(0, end)
  return `${before}${quote}${clientReference(route, client, url)}${rest.slice(url.length)}`
}

/**
 * A `Set-Cookie` field in the client's terms (RFC 6265 §5.2): `Path` below the stripped prefix, without the upstream's base path, and no `Domain`
 * that names the upstream, which browsers refuse.
 * @param requestPath As the client sent it: where there is no usable `Path`, browsers take its folder, which for the prefix alone would be the
 * whole host.
 */
export function clientCookie(route: Route, requestPath: string, value: string): string {
  // Browsers keep a __Host- cookie only with this very path.
  if (/^[\t ]*__host-/i.test(value)) return value
  const [pair = '', ...attributes] = value.split(';')
  let path: string | undefined
  const kept = attributes.filter((attribute) => {
    const [, name = '', text = ''] = /^[\t ]*([^=]*?)[\t ]*(?:=[\t ]*(.*?)[\t ]*)?$/s.exec(attribute) ?? []
    if (/^path$/i.test(name)) path = text
    return !/^path$/i.test(name) && !(/^domain$/i.test(name) && namesUpstream(route, text))
  })
  const mapped = path?.startsWith('/') ? cookiePath(route, path) : defaultPath(route, requestPath)
  return [pair, ...kept, ...(mapped === undefined ? [] : [` Path=${mapped}`])].join(';')
}

function cookiePath(route: Route, path: string): string {
  const prefix = strippedPrefix(route)
  const base = baseAbove(route, path)
  // A cookie for a folder above the upstream's base is for all that the client reaches there.
  const isAbove = route.upstreams.some(({ basePath }) => isBelow(path.replace(/\/$/, ''), basePath))
  if (base === undefined) return isAbove ? prefix || '/' : path
  const rest = path.slice(base.length)
  return rest === '' || rest === '/' ? prefix || '/' : prefix + rest
}

function defaultPath(route: Route, requestPath: string): string | undefined {
  const prefix = strippedPrefix(route)
  return prefix !== '' && requestPath.lastIndexOf('/') < prefix.length ? prefix : undefined
}

function namesUpstream(route: Route, domain: string): boolean {
  const host = domain.replace(/^\./, '').toLowerCase()
  return !route.preserveHost && route.upstreams.some(({ hostname }) => hostname.toLowerCase() === host)
}
