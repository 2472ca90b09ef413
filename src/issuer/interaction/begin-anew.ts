import type { ServerResponse } from 'node:http'
import { BROWSER_CLIENT, browserName } from '../clients/reserved.ts'
import { type IssuerContext, siteOf } from '../context.ts'
import { ROUTES } from '../http/endpoints.ts'
import { redirect, sendPage } from '../http/response.ts'
import { seal, unseal } from '../keys/sealing.ts'
import { leadOnPage } from '../pages/message.ts'
import type { InteractionContext } from './context.ts'

/** The hidden field of a form that outlives its interaction. */
export const ANEW_FIELD = 'anew'

const PURPOSE = 'sign-in anew'

/**
 * Goes on without asking where the browser has signed in meanwhile, in another tab maybe. False, and nothing answered: it has not, or the
 * person is to show themselves anew. A new request, not the end of this one: each of those makes a new session id, and tabs come together.
 */
export async function goesOn({
  context,
  provider,
  client,
  details,
  request,
  response,
  redirectUri,
}: InteractionContext): Promise<boolean> {
  const { prompt, params } = details
  const asksOnlyWho = prompt.name === 'login' && prompt.reasons.every((reason) => reason === 'no_session')
  if (redirectUri === undefined || !asksOnlyWho) return false
  const session = await provider.Session.get(provider.createContext(request, response))
  if (session.accountId === undefined) return false
  leadOn(context, response, request.method === 'POST', client.name, authorizationPath(params))
  return true
}

/**
 * What a form carries to begin anew when its interaction is over: that of a browser's sign-in, and of whoever chooses a new password
 * meanwhile, which ends all interactions. Undefined for others.
 */
export function sealedRequest({ context, client, details, redirectUri }: InteractionContext): string | undefined {
  const outlives = details.prompt.name === 'new_password' && redirectUri !== undefined
  if (client.id !== BROWSER_CLIENT && !outlives) return undefined
  return seal(context.masterKey, PURPOSE, authorizationPath(details.params))
}

/** Begins the sign-in anew that a form was made for; false, and nothing answered, for a form that says nothing of it. */
export function beginAnew(context: IssuerContext, form: URLSearchParams, response: ServerResponse): boolean {
  const sealed = form.get(ANEW_FIELD)
  const path = sealed === null ? undefined : unseal(context.masterKey, PURPOSE, sealed)
  if (path === undefined) return false
  const sent = new URLSearchParams(path.slice(path.indexOf('?')))
  const isBrowser = sent.get('client_id') === BROWSER_CLIENT
  leadOn(context, response, true, isBrowser ? browserName(sent.get('redirect_uri') ?? '') : siteOf(context), path)
  return true
}

/** Browsers hold a redirect after a form to what its page allowed. */
function leadOn(context: IssuerContext, response: ServerResponse, posted: boolean, name: string, path: string): void {
  if (!posted) {
    redirect(response, path)
    return
  }
  sendPage(
    response,
    200,
    leadOnPage({ site: siteOf(context), url: `${context.settings().origin}${path}`, name, keepsFragment: true }),
  )
}

function authorizationPath(params: Readonly<Record<string, unknown>>): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(params)) {
    for (const each of [value].flat()) if (typeof each === 'string') query.append(name, each)
  }
  return `${ROUTES.authorization}?${query}`
}
