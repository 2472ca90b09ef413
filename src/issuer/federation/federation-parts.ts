import type { IdentityProvider } from '../../core/identity-provider.ts'
import type { ProviderSignIn } from '../../store/provider-store.ts'
import type { IssuerContext } from '../context.ts'
import type { Attempts } from './attempts.ts'
import type { AskSource } from './federation.ts'
import type { Parties } from './provider/parties.ts'
import type { ProviderFault } from './provider/provider-fault.ts'

/** What the parts of signing in by a provider share. */
export interface FederationParts
  extends Pick<
    IssuerContext,
    'settings' | 'store' | 'acts' | 'masterKey' | 'now' | 'signIn' | 'secondFactors' | 'rowBudget' | 'record' | 'tell'
  > {
  readonly parties: Parties
  readonly attempts: Attempts
  /** Does work outside of the store's transaction in hand: what a provider was asked stands whatever becomes of the request. */
  readonly apart: <T>(work: () => Promise<T>) => Promise<T>
  /** Notes that a provider gave no word that can be gone by; told once, until it gives one again. */
  readonly unreached: (provider: IdentityProvider, fault: ProviderFault) => Promise<void>
  readonly reached: (provider: IdentityProvider) => Promise<void>
  /** Sign-ins whose tokens are refused while their provider is silent: since which of its words. */
  readonly refusedSince: Map<string, number>
  /** Gives a sign-in's refresh token up at the provider, in the background; its failure is no fault. */
  readonly revokeThere: (signIn: ProviderSignIn) => void
  /** Logout tokens that fail: false when a provider's path has seen too many within a second. */
  readonly failures: { mayFail(provider: string): boolean }
  /** Lets the background look at once at what is due. */
  readonly wake: () => void
  /** Counts a sign-in. */
  readonly counted: (provider: string, outcome: 'ok' | 'refused', reason: string) => void
}

/** Entries outlive the last token that could carry the group. */
const REFUSED_SECONDS = 86_400 + 60

/** Keeps a provider's word on somebody's groups; tokens that carry a lost one are refused from now on. */
export async function stateGroups(
  { store, now, record }: FederationParts,
  signIn: Pick<ProviderSignIn, 'provider' | 'issuer' | 'person' | 'sub'>,
  groups: readonly string[],
  statedAtMs: number,
  source: AskSource,
  kind: 'said' | 'absent',
): Promise<void> {
  const { provider, issuer, person, sub } = signIn
  const notBeforeMs = Math.floor(now())
  const expiresAt = Math.ceil(notBeforeMs / 1000) + REFUSED_SECONDS
  const refused = { notBeforeMs, expiresAt }
  const stated = await store.stateGroups({ issuer, person, groups, statedAtMs, refused, asOfMs: notBeforeMs })
  if (stated.kind === 'passed_over' || stated.added.length + stated.removed.length === 0) return
  const { added, removed } = stated
  const reason = kind === 'absent' ? { reason: 'groups_claim_absent' } : {}
  await record('federation.groups_changed', { provider, sub, added, removed, source, ...reason })
}
