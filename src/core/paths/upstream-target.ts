import type { ResolvedClient } from '../headers/forwarded.ts'
import type { Route, Upstream } from '../route.ts'
import { strippedPrefix } from './client-reference.ts'
import { relativeTo } from './router.ts'
import type { Target } from './target.ts'

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

const NEVER_HREFS = new Set(['GET', 'HEAD', 'POST', 'OPTIONS'])

/** Whether the answer may hold hrefs of WebDAV that have to be rewritten; such a request asks for identity encoding. */
export function mayAnswerHrefs(route: Route, method: string): boolean {
  return !NEVER_HREFS.has(method) && strippedPrefix(route) !== ''
}

/**
 * Whether an answer with this status may be WebDAV's own: a multistatus, what a method of WebDAV answers (the lockroot of RFC 4918 §14.10), or
 * the hrefs of an error (§16). What a GET brings is the file itself, and nobody's to change.
 */
export function mayHoldHrefs(route: Route, method: string, status: number): boolean {
  return strippedPrefix(route) !== '' && (status === 207 || status >= 400 || !NEVER_HREFS.has(method))
}

/** Whether this answer's body goes through `createHrefRewriter`: it may hold hrefs, and is XML that is not encoded. */
export function rewritesBody(route: Route, method: string, status: number, rawHeaders: readonly string[]): boolean {
  if (!mayHoldHrefs(route, method, status)) return false
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
