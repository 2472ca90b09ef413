import { renderPage } from './answer-page.ts'
import { challengeHeader, type Denial, safeText } from './denial.ts'

export interface AnswerContext {
  readonly requestId: string
  /** See {@link wantsHtml}. */
  readonly wantsHtml: boolean
  readonly isHead: boolean
  /** Raw pairs of `corsHeaders`; empty where the route has no `cors`. */
  readonly corsHeaders: readonly string[]
  /** What the request used, so that a DPoP request is challenged for DPoP (RFC 9449 §7.1); `Bearer` when it used none. */
  readonly scheme?: 'Bearer' | 'DPoP'
}

export interface Answer {
  readonly status: number
  /** Raw pairs, Content-Length included; no framing or Connection besides. */
  readonly headers: string[]
  /** ASCII; '' for HEAD, whose Content-Length is that of the same GET. */
  readonly body: string
}

/** Reason phrases of RFC 9110 for the answers of the gateway's own; they are the `title` of `about:blank` problems (RFC 9457 §4.2.1). */
const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  413: 'Content Too Large',
  431: 'Request Header Fields Too Large',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
}

/** The whole answer for a denial: `application/problem+json` (RFC 9457), or a small page for a browser's page load. */
export function renderAnswer(denied: Denial, context: AnswerContext): Answer {
  const title = TITLES[denied.status] ?? 'Error'
  const requestId = safeText(context.requestId, 128)
  const page = context.wantsHtml ? renderPage(denied, title, requestId) : undefined
  const body = page?.body ?? problem(denied, title, requestId)
  const headers = [
    ...['Content-Type', page?.contentType ?? 'application/problem+json'],
    ...['Content-Length', String(body.length)],
    ...['Cache-Control', 'no-store'],
    ...['X-Content-Type-Options', 'nosniff'],
    ...(page === undefined ? [] : ['Content-Security-Policy', page.contentSecurityPolicy]),
  ]
  const challenge = challengeHeader(denied, context.scheme)
  if (challenge !== undefined) headers.push('WWW-Authenticate', challenge)
  if (denied.allow !== undefined) headers.push('Allow', denied.allow.join(', '))
  if (denied.retryAfterSeconds !== undefined) headers.push('Retry-After', String(Math.ceil(denied.retryAfterSeconds)))
  headers.push(...context.corsHeaders)
  return { status: denied.status, headers, body: context.isHead ? '' : body }
}

/**
 * Whether a person's browser loads a page, rather than a program asking: navigation by `Sec-Fetch-Mode`, or, from browsers that send none,
 * an `Accept` that prefers HTML. Never with `Authorization`.
 */
export function wantsHtml(method: string, rawHeaders: readonly string[]): boolean {
  let accept = ''
  let mode: string | undefined
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]?.toLowerCase()
    if (name === 'authorization') return false
    if (name === 'accept') accept += `,${rawHeaders[i + 1]}`
    if (name === 'sec-fetch-mode') mode = rawHeaders[i + 1]
  }
  if (mode !== undefined) return mode === 'navigate'
  if (method !== 'GET' && method !== 'HEAD') return false
  const html = weightOf(accept, 'text/html')
  return (
    html > 0 && html >= Math.max(weightOf(accept, 'application/json'), weightOf(accept, 'application/problem+json'))
  )
}

function problem(denied: Denial, title: string, requestId: string): string {
  const { status, reason, error, description } = denied
  const detail = description
  const document = { type: 'about:blank', title, status, detail, error: error ?? reason, error_description: detail }
  return `${JSON.stringify({ ...document, reason, request_id: requestId })}\n`
}

/** The weight that `Accept` gives a type by name (RFC 9110 §12.4.2); 0 when it isn't named. */
function weightOf(accept: string, type: string): number {
  for (const range of accept.split(',')) {
    const [name = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase())
    if (name !== type) continue
    const weight = Number(parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? 1)
    return Number.isNaN(weight) ? 0 : weight
  }
  return 0
}
