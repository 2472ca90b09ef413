import type { IncomingMessage, ServerResponse } from 'node:http'
import type Provider from 'oidc-provider'
import type { UserRecord } from '../../store/store.ts'
import { BROWSER_CLIENT } from '../clients/reserved.ts'
import { type IssuerContext, siteOf } from '../context.ts'
import { endedMeanwhile } from '../http/ended-meanwhile.ts'
import { GUARD_FIELD, guardValue } from '../http/form-guard.ts'
import { type PageOptions, redirect, sendPage } from '../http/response.ts'
import type { FormTarget } from '../pages/form.ts'
import { leadOnPage } from '../pages/message.ts'
import { recoveryCodesPage } from '../pages/second-factor.ts'
import { type AuthorizationView, type ConsentingClient, isKept, viewAuthorization } from './authorization-view.ts'
import { expiredPage } from './provider-pages.ts'

/** What the library keeps between a request and its answer. */
export type PendingInteraction = Awaited<ReturnType<Provider['interactionDetails']>>

/** One request to a page of an authorization: all that its steps need. */
export interface InteractionContext {
  readonly context: IssuerContext
  readonly provider: Provider
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly details: PendingInteraction
  readonly client: ConsentingClient
  /** Undefined for the device flow, which sends nobody anywhere. */
  readonly redirectUri: string | undefined
  /** Who the browser is signed in as; undefined: nobody, or an account that is gone. */
  readonly user: UserRecord | undefined
}

/** The path of an interaction's page, or of one of its forms. */
export function interactionPath(uid: string, step?: string): string {
  return step === undefined ? `/oauth/interaction/${uid}` : `/oauth/interaction/${uid}/${step}`
}

/** What the person in hand may give the client in hand. */
export function viewOf(interaction: InteractionContext, user: UserRecord): Promise<AuthorizationView> {
  const { context, client, details } = interaction
  const parameters = details.params
  const device = details.deviceCode !== undefined
  const acr = details.lastSubmission?.login?.acr ?? sessionAcr(details.session)
  return viewAuthorization(context, { user, client, parameters, acr, device, ticked: undefined })
}

function sessionAcr(session: PendingInteraction['session']): unknown {
  return session !== undefined && 'acr' in session ? session.acr : undefined
}

/**
 * Ends the page's part with `result` and sends the person on their way: to the client, maybe, by a redirect of its own. @param codes recovery codes
 * that are shown first, this once.
 */
export async function finish(
  interaction: InteractionContext,
  result: Record<string, unknown>,
  codes?: readonly string[],
): Promise<void> {
  const { context, client, details, redirectUri, response } = interaction
  details.result = 'error' in result ? result : { ...details.lastSubmission, ...result }
  if (!(await persistUnlessEnded(interaction))) return sendExpired(context, response)
  if (codes !== undefined) {
    const page = recoveryCodesPage({ site: siteOf(context), codes, nextUrl: details.returnTo })
    return sendInteractionPage(interaction, 200, page)
  }
  if (redirectUri === undefined) return redirect(response, details.returnTo)
  const keepsFragment = client.id === BROWSER_CLIENT
  const url = details.returnTo
  sendInteractionPage(interaction, 200, leadOnPage({ site: siteOf(context), url, name: client.name, keepsFragment }))
}

/** Keeps what the interaction has come to; false when an act of revocation has ended it since the request came in. */
export async function persistUnlessEnded({ context, details, request, client }: InteractionContext): Promise<boolean> {
  await details.persist()
  const login = details.result?.login ?? details.lastSubmission?.login
  const sub = login?.accountId ?? details.session?.accountId
  if (!(await endedMeanwhile(context, request, { sub, clientId: client.id }))) return true
  await details.destroy()
  return false
}

/** The page for an interaction that is over, unknown, or another browser's. */
export function sendExpired(context: IssuerContext, response: ServerResponse): void {
  sendPage(response, 400, expiredPage(context))
}

/** Answers with a page of this interaction. */
export function sendInteractionPage(
  { details, response }: InteractionContext,
  status: number,
  page: string,
  options: PageOptions = {},
): void {
  sendPage(response, status, page, { ...options, keepsOpener: isKept(details) })
}

/** A form of this interaction. */
export function formTarget({ context, details }: InteractionContext, step: string): FormTarget {
  const { uid } = details
  return { action: interactionPath(uid, step), hidden: { [GUARD_FIELD]: guardValue(context.masterKey, uid) } }
}
