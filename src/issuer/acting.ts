import type { Revocation } from '../core/revocation.ts'
import type { NewRevocation, RevocationAct } from '../store/store.ts'

/** Entries outlive the last token that they can touch by this much: clocks differ, and are set back. */
export const TOLERANCE_SECONDS = 3600
/** The longest `access_token_ttl` that routes.yaml may say: a token may have been made under another file than today's. */
const LONGEST_TOKEN_SECONDS = 86_400

export type Change = Partial<RevocationAct> & Pick<RevocationAct, 'audit'>

/** Carries out one act, stamped with its time. */
export type Acting = (change: (stamp: Stamp) => Change) => Promise<readonly Revocation[]>

/** When an act was, and until when it has to be remembered. */
export interface Stamp {
  readonly notBeforeMs: number
  readonly expiresAt: number
}

/**
 * All tokens and sessions of a person. The entries by authorization catch a token that was decided on before the act and
 * stamped after it, which the entry by time lets pass.
 */
export function everything(sub: string, stamp: Stamp) {
  return {
    revocations: [entry('sub', sub, stamp)],
    endAuthorizations: [{ sub, revokeTokens: stamp }],
    endSessions: [{ sub }],
  }
}

export function whole(change: Change): RevocationAct {
  return { revocations: [], deleteConsents: [], endAuthorizations: [], endSessions: [], ...change }
}

export function stampOf(options: { readonly now: () => number }): Stamp {
  const notBeforeMs = Math.floor(options.now())
  const seconds = LONGEST_TOKEN_SECONDS + TOLERANCE_SECONDS
  return { notBeforeMs, expiresAt: Math.ceil(notBeforeMs / 1000) + seconds }
}

export function entry(kind: NewRevocation['kind'], key: string, stamp: Stamp): NewRevocation {
  return { kind, key, ...stamp }
}

export function line(event: string, detail: Readonly<Record<string, unknown>>): RevocationAct['audit'] {
  return { event, detail }
}
