import { looksAtUserinfo } from './asking.ts'
import type { Arrival, Attempt } from './attempt-records.ts'
import type { FederationParts } from './federation-parts.ts'
import type { SignInReason } from './landing.ts'
import { isFault, orFault, type ProviderFault } from './provider/provider-fault.ts'
import { type GroupsWord, readGroups } from './provider/provider-groups.ts'
import { notAllowed, readPerson } from './provider/provider-person.ts'
import type { Claims, ProviderTokens, RelyingParty } from './provider/relying-party.ts'

/** What came of a callback. `detail` is for the log. */
type Arrived =
  | { readonly kind: 'arrived'; readonly arrival: Arrival }
  | { readonly kind: 'refused'; readonly reason: SignInReason; readonly detail: string }

/** How old the proof of a sign-in that was asked for anew may look, for clocks that differ. */
const CLOCKS_SECONDS = 30

/** Redeems the code of a callback and reads who came. Whether they have an account is NOT judged here. */
export async function receive(
  parts: FederationParts,
  party: RelyingParty,
  callback: URL,
  attempt: Attempt,
): Promise<Arrived> {
  const state = callback.searchParams.get('state') ?? ''
  const askedAtMs = parts.now()
  const heard = await orFault(async () => {
    const tokens = await party.redeem(callback, { ...attempt, state })
    return hearOut(party, tokens)
  })
  if (isFault(heard)) {
    await parts.unreached(party.provider, heard)
    return { kind: 'refused', ...reasonOf(heard) }
  }
  await parts.reached(party.provider)
  return judge(parts, party, attempt, heard, askedAtMs)
}

interface Heard {
  readonly tokens: ProviderTokens
  readonly idToken: Claims
  readonly userinfo: Claims | undefined
}

/** Asks userinfo for groups where the file says so, and for a name or address that the ID token does not have. */
async function hearOut(party: RelyingParty, tokens: ProviderTokens): Promise<Heard | ProviderFault> {
  const { idToken } = tokens
  if (idToken === undefined) return { kind: 'invalid_token', detail: 'no ID token' }
  const { provider } = party
  const thin = !(provider.username.claim in idToken) || (provider.email !== 'none' && !('email' in idToken))
  const userinfo = looksAtUserinfo(party, tokens) || thin ? await party.userinfo(tokens.accessToken) : undefined
  if (userinfo === 401) return { kind: 'silent', detail: 'userinfo refuses the token' }
  if (userinfo !== undefined && userinfo.sub !== idToken.sub) {
    return { kind: 'invalid_token', detail: 'userinfo tells of another person' }
  }
  return { tokens, idToken, userinfo }
}

async function judge(
  parts: FederationParts,
  party: RelyingParty,
  attempt: Attempt,
  { tokens, idToken, userinfo }: Heard,
  askedAtMs: number,
): Promise<Arrived> {
  const { provider } = party
  const person = await orFault(async () => readPerson(provider, idToken, userinfo))
  if (isFault(person)) return { kind: 'refused', ...reasonOf(person) }
  const reading = provider.groups && readGroups(provider.groups, { idToken, userinfo }, undefined)
  if (reading?.kind === 'overage') return refused('groups_overage', reading.detail)
  if (reading?.kind === 'unreadable') return refused('provider_misconfigured', `groups_form: ${reading.detail}`)
  const unmet = notAllowed(provider, { idToken, userinfo, groups: reading }, true)
  if (unmet !== undefined) return refused('not_allowed', `allow.${unmet} is not met`)
  const authentication = authenticationOf(parts, idToken)
  if (!isProven(parts, attempt, idToken)) {
    return refused('reauthentication_not_proven', 'auth_time is missing or too old')
  }
  if (reading?.kind === 'absent' || reading?.kind === 'unsaid') tellAbsent(parts, party)
  return {
    kind: 'arrived',
    arrival: {
      person,
      groups: reading?.kind === 'said' ? reading.groups : [],
      tokens: keptTokens(parts, tokens, person.subject, reading),
      authentication,
      askedAtMs,
    },
  }
}

function keptTokens(
  { now }: FederationParts,
  { refreshToken, accessToken, expiresIn, rawIdToken }: ProviderTokens,
  subject: string,
  reading: GroupsWord | undefined,
): Arrival['tokens'] {
  const only = refreshToken === undefined
  return {
    refreshToken,
    accessToken: only ? accessToken : undefined,
    accessUntilMs: only && expiresIn !== undefined ? now() + expiresIn * 1000 : undefined,
    rawIdToken,
    subject,
    groupsPlace: reading?.kind === 'said' ? reading.place : undefined,
  }
}

/** What the provider says of how somebody signed in; the time is that of the callback where it says none. */
function authenticationOf({ now }: FederationParts, { auth_time: at, amr, acr }: Claims): Arrival['authentication'] {
  const seconds = Math.floor(now() / 1000)
  const methods = Array.isArray(amr) ? amr.filter((each) => isWord(each, 64)) : []
  return {
    authTime: typeof at === 'number' && at > 0 ? Math.min(Math.floor(at), seconds) : seconds,
    amr: methods.length > 0 && methods.length <= 16 ? methods : undefined,
    acr: isWord(acr, 256) ? acr : undefined,
  }
}

/** A text that may stand in tokens as it is. */
function isWord(value: unknown, most: number): value is string {
  return typeof value === 'string' && value !== '' && value.length <= most && !/[\p{Cc}\p{Cs}]/u.test(value)
}

/** A fresh sign-in that was asked for is believed only by its time. */
function isProven({ now }: FederationParts, { fresh, maxAge, startedAt }: Attempt, { auth_time: at }: Claims): boolean {
  if (!fresh && maxAge === undefined) return true
  if (typeof at !== 'number') return false
  if (fresh && at < startedAt - CLOCKS_SECONDS) return false
  return maxAge === undefined || at >= Math.floor(now() / 1000) - maxAge
}

const HINTS: Readonly<Record<string, string>> = {
  keycloak: 'add a mapper of the type "Group Membership" with the claim name groups to the client’s dedicated scope',
  authentik: 'the scope mapping "profile" has to be selected in the provider',
  generic: 'name the claim under `groups.claim`, or write `groups: { claim: false }`',
}

function tellAbsent({ tell }: FederationParts, { provider }: RelyingParty): void {
  const hint = HINTS[provider.preset] ?? HINTS.generic
  const claim = provider.groups?.claims.join(' or ')
  tell('federation.groups_claim_absent', { provider: provider.id, reason: 'groups_claim_absent', claim, hint }, 'warn')
}

/** The reason for people, and the words for the log. */
export function reasonOf(fault: ProviderFault): { readonly reason: SignInReason; readonly detail: string } {
  switch (fault.kind) {
    case 'silent':
      return { reason: 'provider_unreachable', detail: fault.detail }
    case 'misconfigured':
      return { reason: 'provider_misconfigured', detail: `${fault.what}: ${fault.detail}` }
    case 'ended':
      return { reason: 'provider_unreachable', detail: `the code was refused: ${fault.detail}` }
    case 'subject_changed':
    case 'invalid_token':
      return { reason: 'id_token_invalid', detail: fault.detail }
  }
}

function refused(reason: SignInReason, detail: string): Arrived {
  return { kind: 'refused', reason, detail }
}
