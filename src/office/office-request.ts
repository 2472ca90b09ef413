import type { IncomingMessage, ServerResponse } from 'node:http'
import { ownCookieName } from '../core/headers/own-cookies.ts'
import type { AdminSignIn, AdminVisitor, OpenAdminSession } from '../issuer/admin-session.ts'
import { appendCookie, readCookie } from '../issuer/http/cookies.ts'
import { pageHeaders, redirect } from '../issuer/http/response.ts'
import { html } from '../issuer/pages/html.ts'
import type { ApiRefusal, OperatorApi } from './api.ts'
import { guardField, type PageContext } from './page-context.ts'
import { officeDocument, type PageContent } from './shell.ts'

/** What the operator's pages work with; all of it is handed in. */
export interface OfficeParts {
  readonly api: OperatorApi
  readonly signIn: AdminSignIn
  /** Passes a request on to a path of the API, for whose token it is: what is long or has no end. */
  readonly passOn: (call: OfficeRequest, token: string, path: string) => Promise<void>
  readonly origin: () => string
  /** How long a session may lie unused. */
  readonly idleSeconds: () => number
  /** Milliseconds. */
  readonly now: () => number
  /** Told of faults that no page foresaw. */
  readonly onFault: (error: unknown) => void
}

export interface OfficeRequest {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly visitor: AdminVisitor
}

/** One request of somebody who is signed in. */
export interface SignedInRequest extends OfficeRequest {
  readonly parts: OfficeParts
  readonly session: OpenAdminSession
  readonly context: PageContext
  /** Below `/admin`, begins with `/` or is empty. */
  readonly below: string
}

/** Leads to the sign-in, and back to `target` after it. */
export function sendToSignIn(
  parts: OfficeParts,
  response: ServerResponse,
  target: string,
  again?: { readonly maxAge: number; readonly acr: string },
): void {
  const { location, flow } = parts.signIn.begin(target, again?.maxAge, again?.acr)
  setCookie(parts, response, 'admin_flow', flow)
  redirect(response, location)
}

/** Writes a page within the frame. */
export function sendOffice(signedIn: SignedInRequest, page: PageContent): void {
  const { response, request, session, parts, context } = signedIn
  const frame = {
    site: new URL(parts.origin()).host,
    path: context.path,
    username: session.user.username,
    guard: guardField(session.guard),
  }
  const body = Buffer.from(officeDocument(frame, page))
  response.writeHead(page.status ?? 200, { ...headersOf(page.connects === true), 'content-length': body.length })
  response.end(request.method === 'HEAD' ? undefined : body)
}

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ')

function headersOf(connects: boolean): Readonly<Record<string, string>> {
  const policy = connects ? `${POLICY}; connect-src 'self'` : POLICY
  return { ...pageHeaders(), 'content-security-policy': policy }
}

/** The API would not answer: a page that says why, in the frame. */
export function showRefusal(signedIn: SignedInRequest, { status, reason, message }: ApiRefusal): void {
  if (status === 401) {
    sendToSignIn(signedIn.parts, signedIn.response, '/admin')
    return
  }
  const back = html`<p><a class="button" href="/admin">To the overview</a></p>`
  sendOffice(signedIn, {
    title:
      reason === 'not_kept' ? 'Nothing is kept of this' : status === 404 ? 'Nothing is here' : 'This can’t be done',
    lead: message,
    content: html`<dl class="facts"><div><dt>Reason</dt><dd><code>${reason}</code></dd></div></dl>${back}`,
    status,
  })
}

type Cookie = 'admin' | 'admin_flow'

/** What one of the pages' cookies holds. */
export function cookieOf(parts: OfficeParts, request: IncomingMessage, kind: Cookie): string | undefined {
  return readCookie(request.headers.cookie, nameOf(parts, kind))
}

/** Sets a cookie of the pages' own; '' takes it away. */
export function setCookie(parts: OfficeParts, response: ServerResponse, kind: Cookie, value: string): void {
  const secure = parts.origin().startsWith('https:')
  const rest = `path=/; httponly; samesite=lax${secure ? '; secure' : ''}${value === '' ? '; max-age=0' : ''}`
  appendCookie(response, `${nameOf(parts, kind)}=${value}; ${rest}`)
}

function nameOf(parts: OfficeParts, kind: Cookie): string {
  return ownCookieName(kind, parts.origin().startsWith('https:') ? 'host' : 'plain')
}
