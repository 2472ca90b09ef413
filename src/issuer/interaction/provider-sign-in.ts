import type { ServerResponse } from 'node:http'
import type Provider from 'oidc-provider'
import { type IssuerContext, siteOf } from '../context.ts'
import type { SignInWish } from '../federation/federation.ts'
import type { Landing, ProviderLogin, ProviderRequest } from '../federation/landing.ts'
import { keepProvider, wasSignedOut } from '../http/cookies.ts'
import { endedMeanwhile } from '../http/ended-meanwhile.ts'
import { GUARD_FIELD, guardValue, isGuarded } from '../http/form-guard.ts'
import { queryOf } from '../http/request.ts'
import { redirect, sendPage } from '../http/response.ts'
import { leadOnPage } from '../pages/message.ts'
import type { PageProvider } from '../pages/provider.ts'
import { splitScope } from '../tokens/token-gate.ts'
import { isKept } from './authorization-view.ts'
import { type InteractionContext, interactionPath, sendExpired, sendInteractionPage } from './context.ts'
import { wishedSignIn } from './sign-in-need.ts'
import { leaveSession } from './sign-out.ts'

/** The buttons of a sign-in page: links that carry the interaction's guard. */
export function providerButtons({ context, details, request }: InteractionContext): readonly PageProvider[] {
  const guard = guardValue(context.masterKey, details.uid)
  return context.federation.choices(request).map(({ id, name }) => {
    const query = new URLSearchParams({ provider: id, [GUARD_FIELD]: guard })
    return { name, url: `${interactionPath(details.uid, 'provider')}?${query}` }
  })
}

/** Somebody pressed the button of a provider. False, and nothing answered, for a link that is not this interaction's. */
export async function goToProvider(interaction: InteractionContext): Promise<boolean> {
  const { context, details, request, response } = interaction
  const query = queryOf(request)
  if (!isGuarded(context.masterKey, details.uid, query)) return false
  const departure = await departFrom(interaction, query.get('provider') ?? '')
  if (departure === undefined) return false
  if (departure.kind === 'go') redirect(response, departure.url)
  else redirect(response, problemPath(details.uid, departure.reason))
  return true
}

/**
 * Leads straight to a provider where there is no choice, or the client has made it: never right after a sign-out, never after a problem.
 * False, and nothing answered: the page is to be shown.
 */
export async function goStraight(interaction: InteractionContext): Promise<boolean> {
  const { context, details, request, client, response } = interaction
  const query = queryOf(request)
  const held = query.has('problem') || query.has('password') || wasSignedOut(context, request)
  const chosen = straightTo(context, details.params.provider)
  if (chosen === undefined || held || details.prompt.name !== 'login') return false
  const departure = await departFrom(interaction, chosen)
  if (departure === undefined) return false
  if (departure.kind === 'refused') redirect(response, problemPath(details.uid, departure.reason))
  else if (details.deviceCode === undefined) redirect(response, departure.url)
  // A form came before: browsers hold a redirect to what its page allowed.
  else
    sendInteractionPage(interaction, 200, leadOnPage({ site: siteOf(context), url: departure.url, name: client.name }))
  return true
}

/** The provider that nobody has to choose; undefined: there is a choice. @param wanted the client's `provider`. */
export function straightTo({ settings }: Pick<IssuerContext, 'settings'>, wanted: unknown): string | undefined {
  const { providers, password } = settings()
  const [first, ...others] = providers
  const named = providers.find(({ id }) => id === wanted)
  if (named !== undefined) return named.id
  return first !== undefined && others.length === 0 && password !== 'on' ? first.id : undefined
}

async function departFrom(interaction: InteractionContext, id: string) {
  const { context, details, request, response, client } = interaction
  const purpose = { kind: 'interaction', uid: details.uid, client: client.id } as const
  return context.federation.depart(request, response, id, purpose, await wishOf(interaction))
}

/** What the client says has to be shown; a refusal that it says nothing of must not become its error. */
async function wishOf({ context, details, user }: InteractionContext): Promise<SignInWish> {
  const { prompt, login_hint: hint } = details.params
  const { maxAge } = wishedSignIn(details.params)
  const refused = user && (await context.stepUps.refused(user.sub, String(details.params.client_id)))
  return {
    loginHint: typeof hint === 'string' ? hint.slice(0, 256) : undefined,
    // Nobody shows a sign-in of no age (OpenID Connect Core §3.1.2.1).
    fresh: maxAge === 0 || splitScope(String(prompt ?? '')).includes('login'),
    maxAge: maxAge === 0 ? undefined : maxAge,
    hopedAge: refused?.maxAge,
  }
}

function problemPath(uid: string, reason: string): string {
  return `${interactionPath(uid)}?problem=${reason}`
}

/** What goes on when somebody comes back from a provider for an authorization or a device. */
export function interactionLanding(
  context: IssuerContext,
  provider: Provider,
): Pick<Landing, 'interaction' | 'unproven'> {
  return {
    interaction: async (call, uid, login) => {
      const interaction = await provider.Interaction.find(uid)
      if (interaction === undefined) return false
      const { sub, signIn, authentication } = login
      if (interaction.session !== undefined && interaction.session.accountId !== sub) {
        await leaveSession(context, provider, interaction, call.response)
      }
      const { authTime, amr, acr } = authentication
      const result = {
        accountId: sub,
        ts: authTime,
        remember: true,
        signIn,
        ...(amr && { amr: [...amr] }),
        ...(acr && { acr }),
      }
      interaction.result = { ...interaction.lastSubmission, login: result }
      await interaction.persist()
      if (await endedMeanwhile(context, call.request, { sub, clientId: String(interaction.params.client_id) })) {
        await interaction.destroy()
        sendExpired(context, call.response)
        return true
      }
      await keepSignedIn(context, login, call.response)
      leadOn(context, call, interaction.returnTo, isKept(interaction))
      return true
    },
    unproven: async (call, uid) => {
      const interaction = await provider.Interaction.find(uid)
      if (interaction === undefined) return false
      interaction.result = { error: 'login_required', error_description: 'a fresh sign-in could not be shown' }
      await interaction.persist()
      leadOn(context, call, interaction.returnTo, isKept(interaction))
      return true
    },
  }
}

/** After a sign-in: the browser remembers by whom. */
export async function keepSignedIn(
  context: IssuerContext,
  login: ProviderLogin,
  response: ServerResponse,
): Promise<void> {
  const signIn = await context.store.providerSignIn(login.signIn)
  if (signIn !== undefined) keepProvider(context, response, signIn.provider)
}

function leadOn(
  context: IssuerContext,
  { request, response }: ProviderRequest,
  url: string,
  keepsOpener: boolean,
): void {
  if (request.method !== 'POST') redirect(response, url)
  else sendPage(response, 200, leadOnPage({ site: siteOf(context), url, name: siteOf(context) }), { keepsOpener })
}
