import type { IdentityProvider } from '../../core/identity-provider.ts'
import type { ProviderSignIn } from '../../store/provider-store.ts'
import { createRelyingParty } from './provider/relying-party.ts'
import { openTokens } from './sign-in-tokens.ts'

/**
 * Gives up at a provider what sign-ins were asked again with; for a process that is not the issuer, which keeps connections of its own. Answers
 * how many could not be given up: the provider has no place for it, or does not answer. `signIns` as they were before they ended.
 */
export async function giveUpAtProvider(
  provider: IdentityProvider,
  masterKey: Buffer,
  signIns: readonly ProviderSignIn[],
): Promise<number> {
  const tokens = signIns.flatMap(({ id, sealed }) => openTokens(masterKey, id, sealed)?.refreshToken ?? [])
  if (tokens.length === 0) return 0
  const party = createRelyingParty(provider, Date.now, () => undefined)
  try {
    const given = await Promise.all(tokens.map((token) => party.revoke(token).catch(() => false)))
    return given.filter((done) => !done).length
  } finally {
    await party.calls.close()
  }
}
