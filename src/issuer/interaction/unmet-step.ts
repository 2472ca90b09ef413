import { LEVELS, type Level, reaches } from '../../core/levels.ts'
import type { UserRecord } from '../../store/store.ts'
import { seconds, siteOf } from '../context.ts'
import { keepDevice } from '../http/cookies.ts'
import { unmetPage } from '../pages/unmet.ts'
import { FRESH_SECONDS, isBest } from '../people/factor-rules.ts'
import { isDenied, offer } from '../tokens/policy.ts'
import { readParameters } from '../tokens/resource-indicators.ts'
import { formTarget, type InteractionContext, sendExpired, sendInteractionPage } from './context.ts'
import { type EnrolOffer, type EnrolPlace, type EnrolWays, needsLink, showEnrolment } from './enrol-step.ts'
import { finishSignIn } from './passkey-step.ts'
import { pageClient } from './provider-pages.ts'
import { reachableLevel } from './reachable-level.ts'
import { levelNeeded, STEP_UP } from './sign-in-need.ts'

/** The level that whoever has just signed in lacks, and whether the account can be signed in to at it; undefined: nothing is known to lack. */
export async function lackingLevel({
  context,
  details,
  user,
}: InteractionContext): Promise<{ readonly level: Level; readonly reachable: boolean } | undefined> {
  const login = details.lastSubmission?.login
  if (user === undefined || login?.accountId !== user.sub || !details.prompt.reasons.includes(STEP_UP)) return undefined
  const level = await levelNeeded(context, details.params, user)
  return level && { level, reachable: reaches(await reachableLevel(context, user.sub), level) }
}

/** Says that the account can't sign in as it is asked to, and offers to add what it lacks to whoever may. */
export async function showUnmet(interaction: InteractionContext): Promise<void> {
  const { context, response, user } = interaction
  if (user === undefined) return sendExpired(context, response)
  if (await showEnrolment(unmetPlace(interaction), user)) return
  const ways = await addable(interaction, user)
  const elsewhere = ways && (ways.app ? 'a second factor' : 'a passkey')
  const offer = { app: undefined, passkey: undefined, problem: undefined }
  sendInteractionPage(interaction, 200, pageFor(interaction, user, offer, elsewhere))
}

/** Where somebody adds the factor that what they came for asks for, once they have signed in as well as they can. */
export function unmetPlace(interaction: InteractionContext): EnrolPlace {
  const { details, client } = interaction
  return {
    ...enrolPlace(interaction),
    // Not what a typed password is sealed for: they may have come by a provider, and a code asks for the password.
    passedAt: { place: `signed in ${details.uid}`, client: client.id },
    ways: async (user) => ((await mayAdd(interaction, user)) ? addable(interaction, user) : undefined),
    page: (user, offer) => pageFor(interaction, user, offer, undefined),
  }
}

/** What places of an authorization have in common. */
export function enrolPlace(interaction: InteractionContext): Omit<EnrolPlace, 'passedAt' | 'ways' | 'page'> {
  const { context, request, response, details } = interaction
  return {
    context,
    request,
    response,
    place: details.uid,
    target: (step) => formTarget(interaction, step),
    send: (status, page) => sendInteractionPage(interaction, status, page),
    done: async (user, amr, codes) => {
      keepDevice(context, response, context.signIn.deviceKeyFor(user))
      await finishSignIn(interaction, user.sub, amr, codes)
    },
  }
}

/** Whether the sign-in in hand may add a factor: not older than ten minutes, and at the best level that the account has. */
async function mayAdd({ context, details }: InteractionContext, { sub }: UserRecord): Promise<boolean> {
  const login = details.lastSubmission?.login
  if (login?.ts === undefined || seconds(context) - login.ts > FRESH_SECONDS) return false
  // What a provider calls its levels says nothing of the factors that are kept here.
  const level = 'signIn' in login ? undefined : LEVELS.find((each) => each === login.acr)
  return isBest(level, await context.secondFactors.standing(sub), context.passkeys.offered())
}

/** What would bring the account to the level that is asked for; undefined: nothing that the person can add. */
async function addable(interaction: InteractionContext, user: UserRecord): Promise<EnrolWays | undefined> {
  const { context, details } = interaction
  const login = details.lastSubmission?.login
  const lacking = await lackingLevel(interaction)
  if (lacking === undefined || lacking.reachable || login?.accountId !== user.sub) return undefined
  if (await needsLink(context, user.sub)) return undefined
  const byProvider = 'signIn' in login
  if (byProvider && (await isProvidersToGive(interaction, user.sub))) return undefined
  // A code comes after the password: whoever came another way would not be signed in by it.
  const typed = !byProvider && login.amr?.includes('pwd') === true
  const app = context.settings().authenticator && lacking.level !== 'phr' && typed
  const passkey = context.passkeys.offered()
  return app || passkey ? { app, passkey } : undefined
}

/** Whether only the provider's groups open what is asked for: they count in nothing that a passkey of this account's signs in for. */
async function isProvidersToGive({ context, details }: InteractionContext, sub: string): Promise<boolean> {
  const groups = (await context.store.userBySub(sub))?.groups ?? []
  const shares = readParameters(context, details.params.resource, details.params.scope)
  return isDenied(offer(shares, { kind: 'person', groups }))
}

function pageFor(
  interaction: InteractionContext,
  user: UserRecord,
  offer: EnrolOffer,
  elsewhere: 'a passkey' | 'a second factor' | undefined,
): string {
  const { context, client, redirectUri, details } = interaction
  return unmetPage({
    site: siteOf(context),
    form: formTarget(interaction, 'deny'),
    client: pageClient(client, redirectUri),
    account: { username: user.username, displayName: user.displayName },
    switchAccount: formTarget(interaction, 'switch'),
    again: formTarget(interaction, 'again'),
    ...offer,
    elsewhere,
    byProvider: 'signIn' in (details.lastSubmission?.login ?? {}),
  })
}
