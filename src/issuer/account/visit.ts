import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ClientRecord } from '../../store/store.ts'
import { GUARD_FIELD, guardValue } from '../form-guard.ts'
import { incomingOf } from '../incoming.ts'
import { type IssuerContext, siteOf } from '../issuer-context.ts'
import { sendPage } from '../page-answer.ts'
import type { PageClient } from '../pages/client.ts'
import { errorPage } from '../pages/error.ts'
import type { FormTarget } from '../pages/form.ts'
import type { BrowserSession, BrowserSessions } from './sessions.ts'

export const ACCOUNT_PATH = '/account'

/** What the account page works with. */
export interface AccountParts {
  readonly context: IssuerContext
  readonly sessions: BrowserSessions
}

/** One request to the account page. */
export interface AccountVisit extends AccountParts {
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

/** A request of somebody who is signed in. */
export interface SignedInVisit extends AccountVisit {
  readonly session: BrowserSession
}

/** What a form of the account page does; each is a path of its own below it. */
export type AccountStep = 'disconnect' | 'end-device' | 'password' | 'sign-out' | 'sign-out-everywhere'

/** Who acted, for the audit. */
export const BY = 'account page'

/** A form of this page, for this person in this session only. */
export function accountForm(
  { context, session }: SignedInVisit,
  step: AccountStep,
  fields: Readonly<Record<string, string>> = {},
): FormTarget {
  const guard = guardValue(context.masterKey, guardedBy(session))
  return { action: `${ACCOUNT_PATH}/${step}`, hidden: { ...fields, [GUARD_FIELD]: guard } }
}

/** What the anti-forgery value of a session's forms is made from. */
export function guardedBy({ uid, user }: BrowserSession): string {
  return `account ${uid} ${user.sub}`
}

/** A field of the form that was posted; '' where it is missing. */
export function posted({ request }: AccountVisit, name: string): string {
  return incomingOf(request).form.get(name) ?? ''
}

/** Whether the person has answered the question that each act asks once. */
export function isConfirmed(visit: AccountVisit): boolean {
  return posted(visit, 'decision') === 'approve'
}

/** A client for these pages; one that is forgotten goes by its id. */
export function accountClient(id: string, client: ClientRecord | undefined): PageClient {
  const fromDocument = client?.origin === 'document'
  return {
    name: client?.name ?? id,
    verified: client?.origin === 'operator',
    returnsTo: undefined,
    idHost: fromDocument ? URL.parse(id)?.host : undefined,
  }
}

/** Answers with a page that says what was wrong with the request. */
export function refuse(visit: AccountVisit, status: 403 | 404 | 405, words: { title: string; what: string }): void {
  const { context, response } = visit
  const page = errorPage({
    site: siteOf(context),
    ...words,
    advice: `Your account is at ${context.settings().origin}${ACCOUNT_PATH}.`,
    code: undefined,
    requestId: undefined,
  })
  sendPage(response, status, page)
}
