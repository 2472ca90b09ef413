import { type IssuerContext, siteOf } from '../context.ts'
import { errorPage } from '../pages/message.ts'
import { sendError, sendPage } from './response.ts'
import type { EndpointCall, Preparation } from './steps.ts'

const RETRY_SECONDS = '10'

/** Refuses a program with 503 where something would be issued while nothing may be. Checking and ending go on elsewhere. */
export const mayIssue: Preparation = (call) => {
  if (call.request.method === 'OPTIONS' || !isPaused(call)) return true
  const headers = { 'retry-after': RETRY_SECONDS, 'access-control-allow-origin': '*' }
  const detail = 'nothing is issued here: the clock of this server is wrong'
  sendError(call.response, 503, 'temporarily_unavailable', detail, headers)
  return false
}

/** As {@link mayIssue}, for people. */
export const mayIssueToPeople: Preparation = (call) => {
  if (!isPaused(call)) return true
  call.response.setHeader('retry-after', RETRY_SECONDS)
  sendPage(call.response, 503, pausedPage(call.context))
  return false
}

function isPaused({ context, path }: EndpointCall): boolean {
  const reason = context.cannotIssue()
  if (reason !== undefined) context.tell('issuing.refused', { path, reason }, 'warn')
  return reason !== undefined
}

function pausedPage(context: IssuerContext): string {
  return errorPage({
    site: siteOf(context),
    title: 'Signing in is paused here',
    what: 'The clock of this server is wrong, so it gives nothing out.',
    advice: 'Try again in a moment. If that does not help, tell whoever runs this site.',
    code: undefined,
    requestId: undefined,
  })
}
