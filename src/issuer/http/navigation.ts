import type { IncomingMessage } from 'node:http'
import { ROUTES } from './endpoints.ts'
import { pathOf, queryOf } from './request.ts'

/** Paths whose answers depend on the browser's cookies. The device authorization endpoint is for programs. */
const BY_COOKIE = /^\/(?:account|admin|oauth\/(?:authorize|device|interaction|logout|providers))(?:\/|$)/

/** Whether what `path` answers depends on who the browser is signed in as. */
export function goesByCookie(path: string): boolean {
  return BY_COOKIE.test(path)
}

/**
 * Whether a browser says that the answer is not to become a document of its own (Fetch Metadata): it would be read by another
 * page's script, of this origin as well, where an upstream may serve anybody's files. Only a silent authorization may happen in
 * a frame; its answer is a redirect. Who names no destination is no browser that says such things, and passes: programs' `fetch`
 * sends a mode alone.
 */
export function isEmbedded(request: IncomingMessage): boolean {
  const { 'sec-fetch-dest': destination, 'sec-fetch-mode': mode } = request.headers
  // A service worker gets to read what is loaded ahead for it.
  if (request.headers['service-worker-navigation-preload'] !== undefined) return true
  if (destination === undefined) return false
  if (mode !== undefined && mode !== 'navigate') return true
  return destination !== 'document' && !(destination === 'iframe' && isSilent(request))
}

/** What was pushed can't be seen from here; where it needs a page, that page is refused in its turn. */
function isSilent(request: IncomingMessage): boolean {
  if (request.method !== 'GET' || pathOf(request) !== ROUTES.authorization) return false
  const query = queryOf(request)
  return query.getAll('prompt').join() === 'none' || query.has('request_uri')
}
