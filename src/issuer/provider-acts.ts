import { personKey, type Revocation } from '../core/revocation.ts'
import { type Acting, entry, line } from './acting.ts'

/** A sign-in by a provider, and whose it is. */
interface SignInOf {
  readonly id: string
  readonly provider: string
  readonly sub: string
}

/** Acts on sign-ins by a provider. */
export interface ProviderActs {
  /**
   * Ends sign-ins by a provider: their browser sessions, authorizations and tokens. @param keepNative spares native clients, and the
   * sign-in with them. @param why for the audit, where each sign-in has its line.
   */
  endProviderSignIns(
    signIns: readonly SignInOf[],
    keepNative: boolean,
    why: Readonly<Record<string, unknown>>,
  ): Promise<readonly Revocation[]>
  /** Takes an identity from its account, with everything that came from it: `signIns` are its own. */
  unlinkProvider(
    link: { readonly issuer: string; readonly person: string },
    signIns: readonly SignInOf[],
    why: Readonly<Record<string, unknown>>,
  ): Promise<readonly Revocation[]>
  /** Refuses the tokens that these clients have of the person now; what they live by stands, and gives them others. */
  refuseTokens(sub: string, clientIds: readonly string[], by: string): Promise<readonly Revocation[]>
}

/** Acts on sign-ins by a provider. */
export function providerActs(acting: Acting): ProviderActs {
  return {
    endProviderSignIns: (signIns, keepNative, why) => {
      const lines = signIns.map(({ provider, sub }) => line('federation.ended', { provider, sub, ...why }))
      const [audit = line('federation.ended', why), ...audits] = lines
      return acting((stamp) => ({
        endProviderSignIns: signIns.map(({ id, sub }) => ({ id, sub, keepNative, ...stamp })),
        audit,
        audits,
      }))
    },
    unlinkProvider: ({ issuer, person }, signIns, why) =>
      acting((stamp) => ({
        endProviderSignIns: signIns.map(({ id, sub }) => ({ id, sub, keepNative: false, ...stamp })),
        deleteProviderLinks: [{ issuer, person }],
        audit: line('federation.unlinked', why),
      })),
    refuseTokens: (sub, clientIds, by) =>
      acting((stamp) => ({
        revocations: clientIds.map((id) => entry('sub_client', personKey(sub, id), stamp)),
        audit: line('tokens.refused', { sub, clients: clientIds, by }),
      })),
  }
}
