import { isDeepStrictEqual } from 'node:util'
import type { IdentityProvider } from '../../../core/identity-provider.ts'
import type { IssuerSettings } from '../../issuer.ts'
import type { CallKind } from './provider-calls.ts'
import { createRelyingParty, type RelyingParty } from './relying-party.ts'

type OnCall = (provider: string, kind: CallKind, outcome: 'ok' | 'refused' | 'silent') => void

/** The providers of the file in force, each with what is known of it. */
export interface Parties {
  byId(id: string): RelyingParty | undefined
  byIssuer(issuer: string): RelyingParty | undefined
  all(): readonly RelyingParty[]
  close(): Promise<void>
}

/** A provider that a reload leaves as it was keeps its connections, metadata and keys. @param now milliseconds. */
export function createParties(settings: () => IssuerSettings, now: () => number, onCall: OnCall): Parties {
  const known = new Map<string, RelyingParty>()
  const partyOf = (provider: IdentityProvider): RelyingParty => {
    const kept = known.get(provider.issuer)
    if (kept !== undefined && isDeepStrictEqual(kept.provider, provider)) return kept
    const party = createRelyingParty(provider, now, (kind, outcome) => onCall(provider.id, kind, outcome))
    known.set(provider.issuer, party)
    // Whoever asks there now goes on to the end; nothing new begins.
    if (kept !== undefined) setTimeout(() => void kept.calls.close(), 30_000).unref()
    return party
  }
  const find = (fits: (provider: IdentityProvider) => boolean): RelyingParty | undefined => {
    const provider = settings().providers.find(fits)
    return provider && partyOf(provider)
  }
  return {
    byId: (id) => find((provider) => provider.id === id),
    byIssuer: (issuer) => find((provider) => provider.issuer === issuer),
    all: () => settings().providers.map(partyOf),
    close: async () => {
      await Promise.all([...known.values()].map((party) => party.calls.close()))
    },
  }
}
