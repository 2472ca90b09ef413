import type { IncomingMessage, ServerResponse } from 'node:http'
import { StoreError } from '../../store/store.ts'
import { type IssuerContext, siteOf } from '../context.ts'
import { errorPage } from '../pages/message.ts'
import { goesByCookie, pathOf } from './request.ts'
import { sendError, sendPage } from './response.ts'

/** A restart of the database takes about that long. */
export const RETRY_SECONDS = 5

export const STORE_AWAY = {
  error: 'temporarily_unavailable',
  error_description: 'the store can’t be reached; try again',
} as const

const UNFORESEEN = { error: 'server_error', error_description: 'something went wrong here' } as const

/** Tells the client of a fault of ours in a word: 503 where the store can't be reached, else 500. People get a page. */
export function sendFault(
  context: IssuerContext,
  request: IncomingMessage,
  response: ServerResponse,
  error: unknown,
): void {
  const away = error instanceof StoreError
  const status = away ? 503 : 500
  if (isForPeople(request)) {
    sendPage(response, status, faultPage(context, away), away ? { retryAfterSeconds: RETRY_SECONDS } : {})
    return
  }
  const { error: code, error_description: description } = away ? STORE_AWAY : UNFORESEEN
  sendError(response, status, code, description, away ? { 'retry-after': String(RETRY_SECONDS) } : {})
}

/** Whether a browser asks for one of the pages that people see. */
export function isForPeople(request: IncomingMessage): boolean {
  return goesByCookie(pathOf(request)) && (request.headers.accept ?? '').includes('text/html')
}

/** @param away whether it is the store that can't be reached. */
export function faultPage(context: IssuerContext, away: boolean): string {
  return errorPage({
    site: siteOf(context),
    title: away ? 'Try again in a moment' : 'Something went wrong here',
    what: away
      ? 'This site can’t reach its records right now. Nothing of yours is lost.'
      : 'The fault is on this side.',
    advice: 'Load this page again in a few seconds. If that does not help, tell whoever runs this site.',
    code: undefined,
    requestId: undefined,
  })
}

/** A path as logs show it: its first part alone, since the rest may name an interaction. */
export function shownPath(path: string): string | undefined {
  return /^\/(?:oauth\/)?[a-z_.-]+/.exec(path)?.[0]
}
