import { timingSafeEqual } from 'node:crypto'
import { isFromElsewhere } from '../issuer/http/form-guard.ts'
import { isEmbedded, pathOf, queryOf, readBody } from '../issuer/http/request.ts'
import { pageHeaders, redirect } from '../issuer/http/response.ts'
import { html } from '../issuer/pages/html.ts'
import { errorPage } from '../issuer/pages/message.ts'
import { DONE } from './acts.ts'
import { ApiRefusal } from './api.ts'
import { carryOut } from './carry-out.ts'
import {
  cookieOf,
  type OfficeParts,
  type OfficeRequest,
  type SignedInRequest,
  sendOffice,
  sendToSignIn,
  setCookie,
  showRefusal,
} from './office-request.ts'
import { createPageContext, type PageContext } from './page-context.ts'
import { pageFor } from './page-for.ts'
import { EXPORTS, exportPath } from './pages/audit.ts'
import type { PageContent } from './shell.ts'
import { openStream, STREAM_PATH } from './stream.ts'

/** Answers everything below `/admin` that isn't the API. Never throws. */
export function createOffice(parts: OfficeParts): (call: OfficeRequest) => Promise<void> {
  return async (call) => {
    try {
      await answer(parts, call)
    } catch (error) {
      parts.onFault(error)
      if (!call.response.headersSent)
        refuse(parts, call, 500, 'Something went wrong here', 'The gateway’s log says more.')
      else call.response.destroy()
    }
  }
}

async function answer(parts: OfficeParts, call: OfficeRequest): Promise<void> {
  const { request, response, visitor } = call
  const path = pathOf(request)
  const reads = request.method === 'GET' || request.method === 'HEAD'
  if (path === STREAM_PATH && reads) return openStream(parts, call)
  if (isEmbedded(request)) {
    return refuse(parts, call, 403, 'This page stands alone', 'Something on another page asked for it.')
  }
  if (!reads && request.method !== 'POST') {
    response.setHeader('allow', 'GET, HEAD, POST')
    return refuse(parts, call, 405, 'This can’t be done here', 'Use GET or POST.')
  }
  if (path === '/admin/callback') return comeBack(parts, call)
  const session = await parts.signIn.open(cookieOf(parts, request, 'admin'), parts.idleSeconds())
  const below = path.slice('/admin'.length).replace(/\/$/, '')
  if (session === undefined) {
    const { search } = new URL(request.url ?? '/', 'http://here')
    return sendToSignIn(parts, response, reads ? `${path}${search}` : '/admin')
  }
  setCookie(parts, response, 'admin', session.cookie)
  const guard = session.guard
  const caller = { token: session.token, address: visitor.address, requestId: visitor.requestId }
  const context = createPageContext(parts.api, caller, {
    ...{ origin: parts.origin(), path, query: queryOf(request), guard },
  })
  const signedIn: SignedInRequest = { ...call, parts, session, context, below }
  try {
    if (reads) return await show(signedIn)
    return await post(signedIn)
  } catch (error) {
    if (error instanceof ApiRefusal) return showRefusal(signedIn, error)
    throw error
  }
}

async function show(signedIn: SignedInRequest): Promise<void> {
  if (await sendExport(signedIn)) return
  const found = await pageFor(signedIn)
  if (found === undefined) return refuse(signedIn.parts, signedIn, 404, 'Nothing is here', 'This page does not exist.')
  if (typeof found === 'string') return redirect(signedIn.response, found)
  sendOffice(signedIn, withNotice(signedIn.context, found))
}

async function post(signedIn: SignedInRequest): Promise<void> {
  const { parts, request, response, session, below } = signedIn
  const body = await readBody(request)
  if (typeof body === 'string') return refuse(parts, signedIn, 413, 'This form is too large', 'Nothing was changed.')
  const form = new URLSearchParams(body.toString('utf8'))
  if (isFromElsewhere(request, parts.origin()) || !isGuard(form.get('csrf'), session.guard)) {
    return refuse(
      parts,
      signedIn,
      403,
      'This form can’t be accepted',
      'It was not sent by this page, or belongs to a sign-in that is over. Nothing was changed.',
    )
  }
  form.delete('csrf')
  if (below === '/sign-out') {
    await parts.signIn.end(cookieOf(parts, request, 'admin'), signedIn.visitor)
    setCookie(parts, response, 'admin', '')
    return redirect(response, '/account')
  }
  await carryOut(signedIn, below, form)
}

function isGuard(sent: string | null, guard: string): boolean {
  const [actual, expected] = [Buffer.from(sent ?? ''), Buffer.from(guard)]
  return actual.length === expected.length && timingSafeEqual(actual, expected)
}

async function comeBack(parts: OfficeParts, call: OfficeRequest): Promise<void> {
  const { request, response, visitor } = call
  const result = await parts.signIn.redeem(queryOf(request), cookieOf(parts, request, 'admin_flow'), visitor)
  if (result.kind === 'signed_in') {
    setCookie(parts, response, 'admin', result.cookie)
    setCookie(parts, response, 'admin_flow', '')
    return redirect(response, result.target)
  }
  if (result.kind === 'denied') {
    return refuse(parts, call, 403, 'This is not yours to see', 'You are signed in, but you are no administrator here.')
  }
  refuse(parts, call, 400, 'The sign-in did not work', `Go to ${parts.origin()}/admin and try again.`)
}

function withNotice(context: PageContext, page: PageContent): PageContent {
  const done = context.query.get('done')
  const text = Object.entries(DONE).find(([key]) => key === done)?.[1]
  return text === undefined ? page : { ...page, content: html`<p class="notice done">${text}</p>${page.content}` }
}

function refuse(
  parts: OfficeParts,
  { request, response, visitor }: OfficeRequest,
  status: number,
  title: string,
  what: string,
): void {
  const page = errorPage({
    site: new URL(parts.origin()).host,
    title,
    what,
    advice: 'What is yours is under your account.',
    code: undefined,
    requestId: visitor.requestId,
    onward: { url: `${parts.origin()}/account`, label: 'Your account' },
  })
  const body = Buffer.from(page)
  response.writeHead(status, { ...pageHeaders(), 'content-length': body.length })
  response.end(request.method === 'HEAD' ? undefined : body)
}

/** Sends the audit trail as a file, as the API makes it; false where the path is no export. */
async function sendExport({
  below,
  context,
  session,
  parts,
  request,
  response,
  visitor,
}: SignedInRequest): Promise<boolean> {
  const wanted = Object.hasOwn(EXPORTS, below) ? EXPORTS[below] : undefined
  if (wanted === undefined) return false
  request.headers.accept = wanted.type
  response.setHeader('content-disposition', `attachment; filename="${wanted.name}"`)
  response.setHeader('content-security-policy', "default-src 'none'; frame-ancestors 'none'; sandbox")
  await parts.passOn({ request, response, visitor }, session.token, exportPath(context.query))
  return true
}
