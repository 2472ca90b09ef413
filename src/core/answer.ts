import { type AnswerPage, type PageWords, renderPage } from './answer-page.ts'
import { challengeHeader, type Denial, type Reason, safeText } from './denial.ts'

// What a person can do about it; programs read the problem document.
const ADVICE: Readonly<Record<number, string>> = {
  400: 'The address could not be understood. Check it, or go back to the page you came from.',
  401: 'This service is used through an app that signs you in. Open it from there.',
  403: 'You are signed in, but this is not yours to see. Ask whoever runs this service.',
  404: 'There is nothing at this address.',
  405: 'This cannot be done at this address.',
  429: 'There were too many tries from where you are. Wait a minute, then try again.',
  502: 'The service behind this gateway does not answer as it should. Try again in a while.',
  503: 'This gateway cannot check who you are just now. Try again in a moment.',
  504: 'The service behind this gateway took too long. Try again in a while.',
  508: 'This gateway leads back to itself. Tell whoever runs it.',
}

// Reason phrases are for programs.
const HEADINGS: Readonly<Record<number, string>> = {
  400: 'This can’t be understood',
  401: 'You are not signed in',
  403: 'You can’t open this',
  404: 'Nothing is here',
  405: 'This can’t be done here',
  429: 'Too many tries',
  502: 'The service does not answer',
  503: 'Try again in a moment',
  504: 'The service takes too long',
}

// Where the status alone would tell a person something else.
const HEADINGS_BY_REASON: Partial<Readonly<Record<Reason, string>>> = {
  cross_origin_request: 'Nothing was done',
  insufficient_scope: 'You can’t do this',
  sign_in_unavailable: 'You can’t sign in just now',
}
const ADVICE_BY_REASON: Partial<Readonly<Record<Reason, string>>> = {
  insufficient_scope: 'You are signed in, but that is not enough for this. Ask whoever runs this service.',
  sign_in_unavailable: 'The place where you sign in does not answer. Try again in a moment.',
  cross_origin_request:
    'Another website asked for this in your name, so nothing was done. If you wanted it, open the page here and try again.',
}

/** The page for a denial: what it means to a person, and why. */
function denialPage(
  denied: Denial,
  phrase: string,
  requestId: string,
  { page: words, lookUp }: AnswerContext,
): AnswerPage {
  const { status, description, reason } = denied
  // A page that asks somebody to sign in says why itself; that programs send a token instead is nothing to a person.
  const why = words !== undefined && reason === 'no_token' ? undefined : description
  return renderPage({
    title: HEADINGS_BY_REASON[reason] ?? HEADINGS[status] ?? phrase,
    status,
    paragraphs: [ADVICE_BY_REASON[reason] ?? ADVICE[status] ?? 'The request was refused.'],
    ...words,
    facts: denialFacts({ reason, description: why }, requestId, words?.framed === true ? undefined : lookUp),
  })
}

/** What a page says of a denial beside its words. @param lookUp Where operators look the request up. */
export function denialFacts(
  { reason, description }: { readonly reason: Reason; readonly description: string | undefined },
  requestId: string,
  lookUp: string | undefined,
): PageWords['facts'] {
  const place = lookUp === undefined ? undefined : `${lookUp}${encodeURIComponent(requestId)}`
  return [
    ...(description === undefined ? [] : ([['Why', description]] as const)),
    ['Reason', reason],
    place === undefined ? ['Request', requestId] : ['Request', requestId, place],
  ]
}

export interface AnswerContext {
  readonly requestId: string
  /** See {@link wantsHtml}. */
  readonly wantsHtml: boolean
  readonly isHead: boolean
  /** Raw pairs of `corsHeaders`; empty where the route has no `cors`. */
  readonly corsHeaders: readonly string[]
  /** What the request used, so that a DPoP request is challenged for DPoP (RFC 9449 §7.1); `Bearer` when it used none. */
  readonly scheme?: 'Bearer' | 'DPoP'
  /** What a 401 asks for; default the scheme alone. */
  readonly challenges?: Challenges
  /** In place of the usual page. */
  readonly page?: Omit<PageWords, 'status' | 'facts'> | undefined
  /** Where operators look a request up: a URL that the id is added to. */
  readonly lookUp?: string | undefined
  /** Further members of the problem document. */
  readonly members?: Readonly<Record<string, string>>
}

export interface Challenges {
  readonly bearer: boolean
  /** The realm of a `Basic` challenge (RFC 7617 §2); undefined: none. */
  readonly basic: string | undefined
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
  302: 'Found',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  413: 'Content Too Large',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  508: 'Loop Detected',
}

/** The whole answer for a denial: `application/problem+json` (RFC 9457), or a small page for a browser's page load. */
export function renderAnswer(denied: Denial, context: AnswerContext): Answer {
  const title = TITLES[denied.status] ?? 'Error'
  const requestId = safeText(context.requestId, 128)
  const page = context.wantsHtml ? denialPage(denied, title, requestId, context) : undefined
  const body = page?.body ?? problem(denied, title, requestId, context.members)
  const headers = [
    ...['Content-Type', page?.contentType ?? 'application/problem+json'],
    ...['Content-Length', String(body.length)],
    ...['Cache-Control', 'no-store'],
    ...['X-Request-Id', requestId],
    ...['X-Content-Type-Options', 'nosniff'],
    ...(page === undefined ? [] : ['Content-Security-Policy', page.contentSecurityPolicy]),
  ]
  headers.push(...challengeLines(denied, context))
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

/** Field lines of their own: many clients read one challenge of a line. */
function challengeLines(denied: Denial, { scheme, challenges }: AnswerContext): string[] {
  const own = challenges?.bearer === false ? undefined : challengeHeader(denied, scheme)
  const realm = denied.challenge === undefined ? undefined : challenges?.basic
  return [
    ...(own === undefined ? [] : ['WWW-Authenticate', own]),
    ...(realm === undefined ? [] : ['WWW-Authenticate', `Basic realm="${safeText(realm, 120)}", charset="UTF-8"`]),
  ]
}

function problem(denied: Denial, title: string, requestId: string, members: AnswerContext['members']): string {
  const { status, reason, error, description } = denied
  const detail = description
  const document = { type: 'about:blank', title, status, detail, error: error ?? reason, error_description: detail }
  return `${JSON.stringify({ ...document, ...members, reason, request_id: requestId })}\n`
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
