import type { ServerResponse } from 'node:http'

/**
 * The headers that every page is sent with, by lower-case name. `formAction`: further CSP sources that forms may lead to, besides
 * this origin; Chromium holds redirects after a form to them too, so a page whose form ends at a client names that client's
 * redirect origin (or scheme). Each is one source expression; one with white space, `;` or `,` throws.
 */
export function pageHeaders(
  options: { readonly formAction?: readonly string[] } = {},
): Readonly<Record<string, string>> {
  const sources = options.formAction ?? []
  const unfit = sources.find((source) => !/^[!-+\--:<-~]+$/.test(source))
  if (unfit !== undefined) throw new Error(`not one CSP source: ${JSON.stringify(unfit)}`)
  return {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': [
      "default-src 'none'",
      "style-src 'self'",
      "img-src 'self' data:",
      "base-uri 'none'",
      "frame-ancestors 'none'",
      `form-action ${["'self'", ...sources].join(' ')}`,
    ].join('; '),
    'x-frame-options': 'DENY',
    'x-content-type-options': 'nosniff',
    // Nothing for other sites. With `no-referrer` browsers send `Origin: null` with our own forms, too.
    'referrer-policy': 'same-origin',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=(), browsing-topics=()',
    'cache-control': 'no-store',
  }
}

/** Writes a page of ours. `formAction`: see {@link pageHeaders}. */
export function sendPage(
  response: ServerResponse,
  status: number,
  page: string,
  options: { readonly formAction?: readonly string[]; readonly retryAfterSeconds?: number } = {},
): void {
  const body = Buffer.from(page)
  const retry = options.retryAfterSeconds
  response.writeHead(status, {
    ...pageHeaders(options),
    'content-length': body.length,
    ...(retry === undefined ? {} : { 'retry-after': String(retry) }),
  })
  response.end(body)
}

/** Leads on after a POST; the next request is a GET (RFC 9700 §4.12). */
export function redirect(response: ServerResponse, location: string): void {
  response.writeHead(303, { location, 'cache-control': 'no-store', 'content-length': 0 })
  response.end()
}

/** An OAuth error as JSON (RFC 6749 §5.2). */
export function sendError(
  response: ServerResponse,
  status: number,
  error: string,
  description: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  const body = Buffer.from(JSON.stringify({ error, error_description: description }))
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
    'content-length': body.length,
    ...headers,
  })
  response.end(body)
}

/**
 * The CSP source for where `uri` leads: an origin, or the scheme of an app. Undefined for what is no URI. Browsers hold the
 * redirects that follow a form to it.
 */
export function formSource(uri: string): string | undefined {
  const url = URL.parse(uri)
  if (url === null) return undefined
  return url.protocol === 'https:' || url.protocol === 'http:' ? url.origin : url.protocol
}
