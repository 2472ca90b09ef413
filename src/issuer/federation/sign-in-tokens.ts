import type { IdentityProvider } from '../../core/identity-provider.ts'
import type { ProviderSignIn } from '../../store/provider-store.ts'
import { seal, unseal } from '../keys/sealing.ts'
import { createRelyingParty } from './provider/relying-party.ts'

/** What a provider gave for one sign-in, to ask again with. */
export interface SignInTokens {
  readonly refreshToken: string | undefined
  /** The only token where there is no refresh token. */
  readonly accessToken: string | undefined
  /** Until when its refusal means something; undefined: not said. */
  readonly accessUntilMs: number | undefined
  /** For signing out there. */
  readonly rawIdToken: string | undefined
  /** What userinfo and later ID tokens must say. */
  readonly subject: string
  /** Where the groups stood last. */
  readonly groupsPlace: 'id_token' | 'userinfo' | undefined
}

/** Sealed for one sign-in: it opens under no other's id. */
export function sealTokens(masterKey: Buffer, id: string, tokens: SignInTokens): string {
  return seal(masterKey, purposeOf(id), JSON.stringify(tokens))
}

/** What {@link sealTokens} sealed; undefined when it can't be opened, and for a sign-in that has ended. */
export function openTokens(masterKey: Buffer, id: string, sealed: string): SignInTokens | undefined {
  const text = unseal(masterKey, purposeOf(id), sealed)
  if (text === undefined) return undefined
  const tokens: SignInTokens = JSON.parse(text)
  return tokens
}

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

function purposeOf(id: string): string {
  return `provider sign-in ${id}`
}
