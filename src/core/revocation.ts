import type { VerifiedToken } from './token.ts'

/**
 * What ends tokens of the embedded issuer. `jti` and `gid` match exactly; the others match a token that was issued
 * (milliseconds, see `issuedMs`) at or before `notBeforeMs`, so that a token made after the act is good.
 */
export type RevocationKind = (typeof REVOCATION_KINDS)[number]

export const REVOCATION_KINDS = ['jti', 'gid', 'client', 'sub', 'sub_client', 'sub_group'] as const

export interface Revocation {
  /** Ascending in the order of acts; what the feed catches up by. */
  readonly id: number
  readonly kind: RevocationKind
  /** `jti`, `gid`, client id, `sub`, or what {@link personKey} makes of `sub` and (client id | group). */
  readonly key: string
  readonly notBeforeMs: number
  /** NumericDate, seconds: when the last token that it can touch has expired. */
  readonly expiresAt: number
}

/** What holds of an entry wherever it came from. */
export type RevocationEntry = Omit<Revocation, 'id'>

/**
 * The key of what ends one client's or one group's tokens of a person. A space parts the two: no `sub` has one. Not U+0000, which databases
 * refuse or cut text at.
 */
export function personKey(sub: string, of: string): string {
  return `${sub} ${of}`
}

/** A `jti` of the embedded issuer: the time of issue in milliseconds, base 36, then `-` and at least 128 bits of chance. */
export function makeJti(nowMs: number, random: string): string {
  return `${Math.floor(nowMs).toString(36)}-${random}`
}

/**
 * When a token of the embedded issuer was made, in milliseconds: from its `jti`, so that a token made after an act in the same second is told
 * from one made before. Without a `jti` that agrees with `iat`, the beginning of that second: earlier is the closed side.
 */
export function issuedMs(token: VerifiedToken): number {
  const second = token.issuedAt * 1000
  const [, time = ''] = /^([0-9a-z]{1,10})-/.exec(token.jti ?? '') ?? []
  const written = time === '' ? second : Number.parseInt(time, 36)
  return Math.abs(written - second) < 2000 ? written : second
}

// The verifier takes a token for good a little past its `exp`; its revocation has to outlive that.
const GRACE_SECONDS = 60

interface Entry {
  readonly notBeforeMs: number
  readonly expiresAt: number
}

/**
 * What is revoked, in memory: asked on every request, and as large as the entries in force. Only tokens of the embedded issuer can be
 * revoked. Keys that name a person first (`sub_client`, `sub_group`) are found by the person.
 */
export class RevocationTable {
  readonly #byKind: Readonly<Record<RevocationKind, Map<string, Entry>>> = {
    jti: new Map(),
    gid: new Map(),
    client: new Map(),
    sub: new Map(),
    sub_client: new Map(),
    sub_group: new Map(),
  }
  #state: object = {}

  /** Another one with every entry that is added, and only then: nothing else turns an earlier no of {@link isRevoked} into a yes. */
  get state(): object {
    return this.#state
  }

  /** Entries in force. */
  get size(): number {
    return Object.values(this.#byKind).reduce((sum, entries) => sum + entries.size, 0)
  }

  /** In any order, and again: of two entries with one key the later time holds. */
  add(revocations: readonly RevocationEntry[]): void {
    this.#state = {}
    for (const { kind, key, notBeforeMs, expiresAt } of revocations) {
      const before = this.#byKind[kind].get(key)
      this.#byKind[kind].set(key, {
        notBeforeMs: Math.max(notBeforeMs, before?.notBeforeMs ?? notBeforeMs),
        expiresAt: Math.max(expiresAt, before?.expiresAt ?? expiresAt),
      })
    }
  }

  /** Every entry that it holds. */
  entries(): readonly RevocationEntry[] {
    return REVOCATION_KINDS.flatMap((kind) => [...this.#byKind[kind]].map(([key, entry]) => ({ kind, key, ...entry })))
  }

  /** Whether an act in force ends this token. Does NOT judge `exp`. */
  isRevoked(token: VerifiedToken): boolean {
    return token.embedded && this.#matches(token)
  }

  /**
   * Forgets entries whose last token has expired; answers their number.
   * @param now NumericDate, seconds.
   */
  sweep(now: number): number {
    let swept = 0
    for (const entries of Object.values(this.#byKind)) {
      for (const [key, { expiresAt }] of entries) {
        if (expiresAt + GRACE_SECONDS < now && entries.delete(key)) swept += 1
      }
    }
    return swept
  }

  #matches(token: VerifiedToken): boolean {
    const { jti, gid, client, sub, sub_client, sub_group } = this.#byKind
    if (jti.size > 0 && token.jti !== undefined && jti.has(token.jti)) return true
    if (gid.size > 0 && token.gid !== undefined && gid.has(token.gid)) return true
    if (client.size + sub.size + sub_client.size + sub_group.size === 0) return false
    const issued = issuedMs(token)
    if (ends(client, token.clientId, issued) || ends(sub, token.subject, issued)) return true
    if (sub_client.size > 0 && ends(sub_client, personKey(token.subject, token.clientId), issued)) return true
    if (sub_group.size === 0) return false
    return token.groups.some((group) => ends(sub_group, personKey(token.subject, group), issued))
  }
}

function ends(entries: ReadonlyMap<string, Entry>, key: string, issued: number): boolean {
  const entry = entries.get(key)
  return entry !== undefined && issued <= entry.notBeforeMs
}
