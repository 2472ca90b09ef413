import type { Config } from '../config/config.ts'
import { RevocationTable } from '../core/revocation.ts'
import { trustedIssuers } from '../gateway/trusted-issuers.ts'
import { mayHoldAnything, openStore } from '../server/open-store.ts'
import type { PublishedKey } from '../token/trusted-issuer.ts'
import { createVerifier, type Verifier } from '../token/verifier.ts'

// A store without revocations and keys yet: nothing was signed, so nothing is good.
const NO_KEYS: readonly PublishedKey[] = []

/**
 * A verifier as the running server has it: own keys and revocations are read from the store, foreign keys are fetched. Rejects with
 * StoreError when a store is there but can't be read.
 */
export async function explainingVerifier(config: Config, now: number): Promise<Verifier> {
  const table = new RevocationTable()
  const keys = await ownKeys(config, table, now)
  return createVerifier({
    startedAt: 0,
    issuers: trustedIssuers(config, { publicKeys: () => keys }),
    revocations: table,
    embeddedUnavailable: () => undefined,
    onKeyEvent: () => undefined,
  })
}

async function ownKeys(config: Config, table: RevocationTable, now: number): Promise<readonly PublishedKey[]> {
  if (config.issuer.kind !== 'embedded') return NO_KEYS
  // A server that never ran has signed nothing; what a request without a token gets can be said all the same.
  if (!mayHoldAnything(config)) return NO_KEYS
  const store = await openStore(config, { create: false })
  try {
    table.add(await store.revocations(0, now))
    return (await store.signingKeys()).map((key) => key.publicJwk)
  } finally {
    await store.close()
  }
}
