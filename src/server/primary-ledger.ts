import type { Revocation } from '../core/revocation.ts'

// As long as the gateway's own table keeps them.
const GRACE_SECONDS = 60

/** The revocations in force as entries, for workers that start later; bounded like the table that judges by them. */
export interface Ledger {
  add(entries: readonly Revocation[]): void
  /** @param now NumericDate, seconds. */
  entries(now: number): readonly Revocation[]
}

export function createLedger(): Ledger {
  const byKey = new Map<string, Revocation>()
  return {
    add: (entries) => {
      for (const entry of entries) {
        const name = `${entry.kind} ${entry.key}`
        const before = byKey.get(name)
        byKey.set(name, before === undefined ? entry : later(before, entry))
      }
    },
    entries: (now) => {
      for (const [name, { expiresAt }] of byKey) if (expiresAt + GRACE_SECONDS < now) byKey.delete(name)
      return [...byKey.values()]
    },
  }
}

function later(one: Revocation, other: Revocation): Revocation {
  return {
    ...other,
    id: Math.max(one.id, other.id),
    notBeforeMs: Math.max(one.notBeforeMs, other.notBeforeMs),
    expiresAt: Math.max(one.expiresAt, other.expiresAt),
  }
}
