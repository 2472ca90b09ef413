import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ClientRecord } from '../../store/store.ts'
import { reservedClient } from '../clients/reserved.ts'
import { type IssuerContext, siteOf } from '../context.ts'
import { GUARD_FIELD, guardValue } from '../http/form-guard.ts'
import { issuerRequestOf, queryOf } from '../http/request.ts'
import { redirect, sendPage } from '../http/response.ts'
import { tryPassword } from '../http/try-password.ts'
import { seal, unseal } from '../keys/sealing.ts'
import type { FormTarget } from '../pages/form.ts'
import { type ConfirmModel, confirmPage, errorPage } from '../pages/message.ts'
import type { PageClient } from '../pages/parties.ts'
import type { SignInResult } from '../people/throttle.ts'
import type { BrowserSession, BrowserSessions } from './sessions.ts'

/** Where people see and change what is theirs; its forms lie below. */
export const ACCOUNT_PATH = '/account'

/** What the account page works with. */
export interface AccountParts {
  readonly context: IssuerContext
  readonly sessions: BrowserSessions
}

/** One request to the account page. */
export interface AccountRequest extends AccountParts {
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

/** A request of somebody who is signed in. */
export interface SignedInRequest extends AccountRequest {
  readonly session: BrowserSession
}

/** What a form of the account page does; each is a path of its own below it. */
export type AccountStep =
  | 'app-password'
  | 'revoke-app-password'
  | 'unlink'
  | 'disconnect'
  | 'end-device'
  | 'end-browser'
  | 'not-me'
  | 'authenticator-add'
  | 'authenticator-confirm'
  | 'recovery-codes'
  | 'passkey-add'
  | 'passkey-confirm'
  | 'passkey-rename'
  | 'factor-remove'
  | 'password'
  | 'sign-out'
  | 'sign-out-everywhere'

/** A form of this page, for this person in this session only. */
export function accountForm(
  { context, session }: SignedInRequest,
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
export function posted({ request }: AccountRequest, name: string): string {
  return issuerRequestOf(request).form.get(name) ?? ''
}

/** One try at the password of whoever is signed in: a form that changes what guards the account asks for it. */
export function tryCurrentPassword(call: SignedInRequest): Promise<SignInResult> {
  const { sub, username } = call.session.user
  const typed = { username, password: posted(call, 'current_password') }
  return tryPassword(call.context, call.request, typed, { visitor: call.session.uid, about: { sub, by: sub } })
}

/** Whether the person has answered the question that each act asks once. */
export function isConfirmed(call: AccountRequest): boolean {
  return posted(call, 'decision') === 'approve'
}

/** A client by its id, the gateway's own too; undefined for one that is forgotten. */
export async function knownClient({ store }: IssuerContext, id: string): Promise<ClientRecord | undefined> {
  return reservedClient(id) ?? (await store.client(id))
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
export function refuse(
  call: AccountRequest,
  status: 403 | 404 | 405 | 409,
  words: { title: string; what: string },
): void {
  const { context, response } = call
  const page = errorPage({
    site: siteOf(context),
    ...words,
    advice: `Your account is at ${context.settings().origin}${ACCOUNT_PATH}.`,
    code: undefined,
    requestId: undefined,
  })
  sendPage(response, status, page)
}

/** What an act did, carried to the page that says so. Times in milliseconds. */
export type Outcome =
  | { readonly kind: 'ended'; readonly what: string; readonly atMs: number; readonly lastUsedAtMs: number | undefined }
  /** Somebody pressed a button of a page that was out of date. */
  | { readonly kind: 'gone'; readonly what: string; readonly atMs: number }
  /** Other browsers that were signed out, or that the person said wasn't theirs. */
  | { readonly kind: 'browser' | 'disowned'; readonly what: string; readonly atMs: number }
  | { readonly kind: 'password'; readonly atMs: number }
  | { readonly kind: 'passkey'; readonly name: string; readonly atMs: number }
  | { readonly kind: 'factor_removed'; readonly what: string; readonly atMs: number }
  | { readonly kind: 'signed_out'; readonly atMs: number }
  | { readonly kind: 'everywhere'; readonly atMs: number }
  /** A further way in was tried at a provider. */
  | {
      readonly kind: 'connected'
      readonly outcome: 'linked' | 'known' | 'other_account' | 'account_linked' | 'stale' | 'last'
      readonly provider: string
      readonly atMs: number
    }
  | { readonly kind: 'unlinked'; readonly provider: string; readonly atMs: number }

const PURPOSE = 'account notice'
/** A link that is kept or passed on stops speaking after this long. */
const SHOWN_MS = 10 * 60_000

/** Leads back to the account page, which then says what was done. Only for `reader` (a sub); undefined: for nobody signed in. */
export function leadBack({ context, response }: AccountRequest, outcome: Outcome, reader: string | undefined): void {
  const notice = seal(context.masterKey, PURPOSE, JSON.stringify({ ...outcome, reader }))
  redirect(response, `${ACCOUNT_PATH}?notice=${notice}`)
}

/** What the address says was done: sealed by {@link leadBack}, a moment ago, for this reader. */
export function outcomeFor(call: AccountRequest, reader: string | undefined): Outcome | undefined {
  const { context, request } = call
  const sealed = queryOf(request).get('notice')
  const text = sealed === null ? undefined : unseal(context.masterKey, PURPOSE, sealed)
  if (text === undefined) return undefined
  const read: Outcome & { readonly reader?: string } = JSON.parse(text)
  return read.reader === reader && isFresh(context, read) ? read : undefined
}

/** Asks once before an act that ends something. */
export function ask(
  call: SignedInRequest,
  step: AccountStep,
  fields: Readonly<Record<string, string>>,
  words: Pick<ConfirmModel, 'question' | 'consequences' | 'act'>,
): void {
  const page = confirmPage({
    site: siteOf(call.context),
    form: accountForm(call, step, fields),
    account: call.session.user,
    ...words,
    cancelUrl: ACCOUNT_PATH,
  })
  sendPage(call.response, 200, page)
}

function isFresh({ now }: IssuerContext, { atMs }: Outcome): boolean {
  return Math.abs(now() - atMs) < SHOWN_MS
}
