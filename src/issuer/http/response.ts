import type { ServerResponse } from 'node:http'
import { FRAGMENT_SCRIPT_HASH } from '../pages/layout.ts'

/** How a page differs from the others in its headers. */
export interface PageOptions {
  /** The window that opened this page's stays in reach, and this page in its. See `keepsOpener`. */
  readonly keepsOpener?: boolean
  readonly retryAfterSeconds?: number
  /** The page's address holds a secret: not even pages of this origin are told it. */
  readonly holdsSecret?: boolean
}

/**
 * The headers that every page is sent with, by lower-case name. Forms lead to this origin only: browsers hold all redirects that
 * follow a form to that, so one that ends at a client is answered by a page that leads on (`leadOnPage`).
 */
export function pageHeaders(options: PageOptions = {}, page = ''): Readonly<Record<string, string>> {
  const scripts = scriptsOf(page)
  return {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': [
      "default-src 'none'",
      "style-src 'self'",
      "img-src 'self' data:",
      "base-uri 'none'",
      "frame-ancestors 'none'",
      ...(scripts.length === 0 ? [] : [`script-src ${scripts.map((script) => SCRIPT_SOURCES[script]).join(' ')}`]),
      ...(scripts.includes('module') ? ["require-trusted-types-for 'script'", "trusted-types 'none'"] : []),
      // Last: a page may add to it.
      "form-action 'self'",
    ].join('; '),
    'x-frame-options': 'DENY',
    'x-content-type-options': 'nosniff',
    // Nothing for other sites. With `no-referrer` browsers send `Origin: null` with our own forms, too.
    'referrer-policy': options.holdsSecret === true ? 'strict-origin' : 'same-origin',
    ...(options.keepsOpener === true ? {} : { 'cross-origin-opener-policy': 'same-origin' }),
    'cross-origin-resource-policy': 'same-origin',
    'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=(), browsing-topics=()',
    'cache-control': 'no-store',
  }
}

const SCRIPT_SOURCES = { fragment: `'${FRAGMENT_SCRIPT_HASH}'`, module: "'self'" } as const

function scriptsOf(page: string): readonly ('fragment' | 'module')[] {
  return [
    ...(page.includes('<script>') ? (['fragment'] as const) : []),
    ...(page.includes('<script type="module"') ? (['module'] as const) : []),
  ]
}

/** Writes a page of ours. */
export function sendPage(response: ServerResponse, status: number, page: string, options: PageOptions = {}): void {
  const body = Buffer.from(page)
  const retry = options.retryAfterSeconds
  response.writeHead(status, {
    ...pageHeaders(options, page),
    'content-length': body.length,
    ...(retry === undefined ? {} : { 'retry-after': String(retry) }),
  })
  response.end(body)
}

/** Leads on within this origin after a POST; the next request is a GET (RFC 9700 §4.12). */
export function redirect(response: ServerResponse, location: string): void {
  response.writeHead(303, { location, 'cache-control': 'no-store', 'content-length': 0 })
  response.end()
}

interface ToldRefusal {
  readonly error: string
  readonly description: string
}

const refusals = new WeakMap<ServerResponse, ToldRefusal>()

/** What {@link sendError} told the client; undefined where something else answered. */
export function refusalOf(response: ServerResponse): ToldRefusal | undefined {
  return refusals.get(response)
}

/** An OAuth error as JSON (RFC 6749 §5.2). */
export function sendError(
  response: ServerResponse,
  status: number,
  error: string,
  description: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  refusals.set(response, { error, description })
  const body = Buffer.from(JSON.stringify({ error, error_description: description }))
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
    'content-length': body.length,
    ...headers,
  })
  response.end(body)
}
