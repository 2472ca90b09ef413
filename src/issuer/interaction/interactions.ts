import type { IncomingMessage, ServerResponse } from 'node:http'
import type Provider from 'oidc-provider'
import { type Client, errors } from 'oidc-provider'
import { BROWSER_CLIENT, browserName } from '../clients/reserved.ts'
import { type IssuerContext, siteOf } from '../context.ts'
import { isFromElsewhere, isGuarded } from '../http/form-guard.ts'
import { issuerRequestOf } from '../http/request.ts'
import { redirect, sendPage } from '../http/response.ts'
import type { FormTarget } from '../pages/form.ts'
import { errorPage } from '../pages/message.ts'
import { passwordDuePage } from '../pages/password-due.ts'
import { withGroups } from '../tokens/provider-standing.ts'
import { consentingClient } from './authorization-view.ts'
import { ANEW_FIELD, beginAnew, sealedRequest } from './begin-anew.ts'
import { denyAccess, giveConsent, showConsent, showDenied } from './consent.ts'
import {
  finish,
  formTarget,
  type InteractionContext,
  interactionPath,
  sendExpired,
  sendInteractionPage,
} from './context.ts'
import { goToProvider } from './provider-sign-in.ts'
import { enrolStep, showSignIn, signIn, signInAgain, switchAccount, takeCode, takePasskey } from './sign-in.ts'

type Step = (interaction: InteractionContext) => Promise<void> | void

/** What each button of an interaction's pages does. */
const STEPS: Readonly<Record<string, Step>> = {
  'sign-in': signIn,
  consent: giveConsent,
  deny: denyAccess,
  switch: switchAccount,
  again: signInAgain,
  'go-on': goOn,
  code: takeCode,
  passkey: takePasskey,
  'enrol-app': enrolStep('enrol-app'),
  'enrol-app-confirm': enrolStep('enrol-app-confirm'),
  'enrol-passkey': enrolStep('enrol-passkey'),
}
const PAGES: Readonly<Record<string, Step>> = {
  login: showSignIn,
  new_password: showPasswordDue,
  denied: showDenied,
  consent: showConsent,
}

/** Answers requests to `/oauth/interaction/…`: sign-in, consent and the page that says no. */
export async function answerInteraction(
  context: IssuerContext,
  provider: Provider,
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
): Promise<void> {
  const [, uid = '', step] = /^\/oauth\/interaction\/([\w-]{1,64})(?:\/([a-z-]{1,20}))?$/.exec(path) ?? []
  const interaction = await openInteraction(context, provider, request, response, uid)
  if (interaction === undefined) {
    const { form } = issuerRequestOf(request)
    const own = request.method === 'POST' && !isFromElsewhere(request, context.settings().origin)
    return own && beginAnew(context, form, response) ? undefined : sendExpired(context, response)
  }
  if (step === 'provider' && request.method === 'GET') {
    return (await goToProvider(interaction)) ? undefined : sendForged(context, response)
  }
  if (request.method !== 'POST') {
    // Somebody reloads the page that a form's address answered with.
    return step === undefined ? showPage(interaction) : redirect(response, interactionPath(uid))
  }
  const { form } = issuerRequestOf(request)
  if (isFromElsewhere(request, context.settings().origin) || !isGuarded(context.masterKey, uid, form)) {
    return sendForged(context, response)
  }
  const act = step !== undefined && Object.hasOwn(STEPS, step) ? STEPS[step] : undefined
  return act === undefined ? sendExpired(context, response) : act(interaction)
}

function showPage(interaction: InteractionContext): Promise<void> | void {
  const page = PAGES[interaction.details.prompt.name]
  return page === undefined ? sendExpired(interaction.context, interaction.response) : page(interaction)
}

async function openInteraction(
  context: IssuerContext,
  provider: Provider,
  request: IncomingMessage,
  response: ServerResponse,
  uid: string,
): Promise<InteractionContext | undefined> {
  try {
    const details = await provider.interactionDetails(request, response)
    const client = await provider.Client.find(String(details.params.client_id))
    // The cookie is what counts; the address only says which of several tabs this is.
    if (details.uid !== uid || client === undefined || !leadsBack(client, details.params)) return undefined
    const sub = details.session?.accountId
    const account = sub === undefined ? undefined : await context.store.userBySub(sub)
    const standing = await context.federation.lastOfSession(details.session?.uid ?? '')
    const gone = account === undefined || account.disabled || standing.kind === 'ended'
    const user = gone ? undefined : withGroups(account, standing)
    const { redirect_uri: redirectUri } = details.params
    const known = await consentingClient(context, client)
    return {
      context,
      provider,
      request,
      response,
      details,
      client: known.id === BROWSER_CLIENT ? { ...known, name: browserName(String(redirectUri)) } : known,
      redirectUri: typeof redirectUri === 'string' ? redirectUri : undefined,
      user,
    }
  } catch (error) {
    if (error instanceof errors.OIDCProviderError) return undefined
    throw error
  }
}

/** Whether the address that people are sent back to is still the client's; that of browsers is judged when they are sent there. */
function leadsBack(client: Client, { redirect_uri: uri }: Readonly<Record<string, unknown>>): boolean {
  return typeof uri !== 'string' || client.clientId === BROWSER_CLIENT || client.redirectUriAllowed(uri)
}

function sendForged(context: IssuerContext, response: ServerResponse): void {
  const page = errorPage({
    site: siteOf(context),
    title: 'This form can’t be accepted',
    what: 'It was not sent by the page that belongs to this sign-in.',
    advice: 'Go back to the app and start again.',
    code: undefined,
    requestId: undefined,
  })
  sendPage(response, 403, page)
}

/** Says that a new password comes first, and where to choose it. */
function showPasswordDue(interaction: InteractionContext): void {
  const { context, user } = interaction
  if (user === undefined) {
    sendExpired(context, interaction.response)
    return
  }
  const page = passwordDuePage({
    site: siteOf(context),
    account: user,
    goOn: goOnForm(interaction),
    switchAccount: formTarget(interaction, 'switch'),
  })
  sendInteractionPage(interaction, 200, page)
}

/** Goes on with what was begun; whether there is a new password is looked at again. */
async function goOn(interaction: InteractionContext): Promise<void> {
  if (interaction.details.prompt.name !== 'new_password') return sendExpired(interaction.context, interaction.response)
  await finish(interaction, { new_password: {} })
}

function goOnForm(interaction: InteractionContext): FormTarget {
  const { action, hidden } = formTarget(interaction, 'go-on')
  const anew = sealedRequest(interaction)
  return { action, hidden: anew === undefined ? hidden : { ...hidden, [ANEW_FIELD]: anew } }
}
