import type { ProviderSignIn } from '../../store/provider-store.ts'
import type { FederationParts } from './federation-parts.ts'
import type { AskSource } from './standing.ts'

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
