import { randomUUID } from 'node:crypto'
import type { UserRecord } from '../../store/store.ts'
import { SUB_PREFIX } from '../people/people.ts'
import type { Arrival } from './attempt-records.ts'
import { type FederationParts, stateGroups } from './federation-parts.ts'
import type { SignInReason } from './landing.ts'
import type { RelyingParty } from './provider/relying-party.ts'
import { sealTokens } from './sign-in-tokens.ts'

/** Whose account somebody is let into. */
type Admission =
  | { readonly kind: 'admitted'; readonly user: UserRecord; readonly signIn: string }
  /** `detail` is for the log. */
  | { readonly kind: 'refused'; readonly reason: SignInReason; readonly detail: string }

/**
 * Finds or makes the account of whom a provider sent, by issuer and person alone, and begins a sign-in.
 * `name_taken` when the account can't have the name; nothing was changed then.
 */
export async function admit(parts: FederationParts, party: RelyingParty, arrival: Arrival): Promise<Admission> {
  const { store, now } = parts
  const { provider } = party
  const link = await store.providerLink(provider.issuer, arrival.person.person)
  if (link !== undefined) return enter(parts, party, arrival, link.sub)
  if (provider.accounts === 'existing') return refused('not_allowed', 'no account is linked, and none is made')
  const { username, displayName } = arrival.person
  if (username === undefined) return refused('name_taken', 'no name that an account could have')
  const user: UserRecord = {
    sub: `${SUB_PREFIX}${randomUUID()}`,
    username,
    displayName,
    email: undefined,
    groups: [],
    passwordHash: undefined,
    disabled: false,
    createdAt: Math.floor(now() / 1000),
  }
  const linked = await store.linkProvider(linkOf(parts, party, arrival, user.sub), user)
  // Somebody else's request made the same person's account a moment ago.
  if (linked.kind === 'known') return enter(parts, party, arrival, linked.sub)
  if (linked.kind !== 'linked') return refused('name_taken', 'another account has the name')
  await parts.record('federation.account_created', { provider: provider.id, sub: user.sub, groups: arrival.groups })
  return enter(parts, party, arrival, user.sub)
}

/** Connects an identity with an account that its person has shown to be theirs. */
export async function connect(
  parts: FederationParts,
  party: RelyingParty,
  arrival: Arrival,
  sub: string,
): Promise<'linked' | 'known' | 'other_account' | 'account_linked'> {
  const linked = await parts.store.linkProvider(linkOf(parts, party, arrival, sub), undefined)
  if (linked.kind === 'known') return linked.sub === sub ? 'known' : 'other_account'
  if (linked.kind !== 'linked') return 'account_linked'
  await parts.record('federation.linked', { provider: party.provider.id, sub, by: sub })
  return 'linked'
}

function linkOf({ now }: FederationParts, { provider }: RelyingParty, arrival: Arrival, sub: string) {
  return {
    issuer: provider.issuer,
    person: arrival.person.person,
    sub,
    email: undefined,
    linkedAt: Math.floor(now() / 1000),
    groups: arrival.groups,
    statedAtMs: arrival.askedAtMs,
  }
}

/** Begins a sign-in to a linked account. Renames there change what is shown, never the name. */
export async function enter(
  parts: FederationParts,
  party: RelyingParty,
  arrival: Arrival,
  sub: string,
): Promise<Admission> {
  const { store, now, masterKey } = parts
  const { provider } = party
  const { person, email, displayName, sid } = arrival.person
  const found = await store.userBySub(sub)
  if (found === undefined || found.disabled) return refused('not_allowed', 'the account is disabled here')
  const id = randomUUID()
  const key = { provider: provider.id, issuer: provider.issuer, person, sub }
  if (provider.groups !== undefined) {
    await stateGroups(parts, key, arrival.groups, arrival.askedAtMs, 'sign_in', 'said')
  }
  await store.setProviderProfile(key, { displayName, email })
  await store.addProviderSignIn({
    ...key,
    id,
    sid,
    sealed: sealTokens(masterKey, id, arrival.tokens),
    askedAtMs: arrival.askedAtMs,
    endsAtMs: arrival.tokens.refreshToken === undefined ? now() + provider.withoutRecheckSeconds * 1000 : undefined,
    dueAtMs: undefined,
    ended: false,
    createdAt: Math.floor(now() / 1000),
  })
  return { kind: 'admitted', user: (await store.userBySub(sub)) ?? found, signIn: id }
}

function refused(reason: SignInReason, detail: string): Admission {
  return { kind: 'refused', reason, detail }
}
