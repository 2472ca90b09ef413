import { randomBytes } from 'node:crypto'
import { REVOCATION_KINDS, type Revocation } from '../../core/revocation.ts'
import type { NewRevocation, RevocationAct } from '../store.ts'
import type { Database, Queries } from './database.ts'
import { integer, oneOf, type Row, text } from './row.ts'

const EXACT: ReadonlySet<string> = new Set(['jti', 'gid'])

/** An entry that is in force already keeps its number; one that goes further takes the place of earlier ones. */
export async function putInForce(queries: Queries, entries: readonly NewRevocation[]): Promise<readonly Revocation[]> {
  const known = new Map<NewRevocation, Revocation>()
  for (const entry of entries) {
    const found = EXACT.has(entry.kind) ? await inForce(queries, entry) : undefined
    if (found !== undefined) known.set(entry, found)
  }
  let id = await takeNumbers(queries, entries.length - known.size)
  const numbered: Revocation[] = []
  for (const entry of entries) {
    const found = known.get(entry)
    if (found === undefined) await replace(queries, { id: id + 1, ...entry })
    numbered.push(found ?? { id: ++id, ...entry })
  }
  return numbered
}

async function inForce(queries: Queries, { kind, key, expiresAt }: NewRevocation): Promise<Revocation | undefined> {
  const sql = 'SELECT * FROM revocations WHERE kind = ? AND key = ? AND expires_at >= ?'
  const row = await queries.get(sql, kind, key, expiresAt)
  return row === undefined ? undefined : revocationOf(row)
}

/** Answers the number before the first of `count`. From here to the commit no other act can take one. */
async function takeNumbers(queries: Queries, count: number): Promise<number> {
  if (count === 0) return 0
  const sql = 'UPDATE feed SET position = position + ?, nonce = ? RETURNING position'
  const row = await queries.get(sql, count, randomBytes(8).toString('base64url'))
  if (row === undefined) throw new TypeError('the counter of revocations is gone')
  return integer(row, 'position') - count
}

async function replace(queries: Queries, { id, kind, key, notBeforeMs, expiresAt }: Revocation): Promise<void> {
  const superseded = 'DELETE FROM revocations WHERE kind = ? AND key = ? AND not_before_ms <= ? AND expires_at <= ?'
  await queries.run(superseded, kind, key, notBeforeMs, expiresAt)
  const sql = 'INSERT INTO revocations (id, kind, key, not_before_ms, expires_at) VALUES (?, ?, ?, ?, ?)'
  await queries.run(sql, id, kind, key, notBeforeMs, expiresAt)
}

/** Those that the store lacks, or has with less. */
export async function lackingOf(
  queries: Queries,
  entries: readonly NewRevocation[],
): Promise<readonly NewRevocation[]> {
  const sql = 'SELECT 1 FROM revocations WHERE kind = ? AND key = ? AND not_before_ms >= ? AND expires_at >= ?'
  const lacking: NewRevocation[] = []
  for (const entry of entries) {
    const { kind, key, notBeforeMs, expiresAt } = entry
    if ((await queries.get(sql, kind, key, notBeforeMs, expiresAt)) === undefined) lacking.push(entry)
  }
  return lacking
}

/** What the acts behind entries ended besides, as far as an entry tells: what can make further tokens. */
export function endedWith(entries: readonly NewRevocation[]): Pick<RevocationAct, 'endAuthorizations' | 'endSessions'> {
  const keysOf = (kind: NewRevocation['kind']): readonly string[] =>
    entries.filter((entry) => entry.kind === kind).map(({ key }) => key)
  const pairs = keysOf('sub_client').map((key) => ({
    sub: key.slice(0, key.indexOf(' ')),
    clientId: key.slice(key.indexOf(' ') + 1),
  }))
  return {
    endAuthorizations: [
      ...keysOf('gid').map((gid) => ({ gid })),
      ...keysOf('client').map((clientId) => ({ clientId })),
      ...keysOf('sub').map((sub) => ({ sub })),
      ...pairs,
    ],
    endSessions: keysOf('sub').map((sub) => ({ sub })),
  }
}

/** The moment in which a transaction has what it locked: milliseconds, by the clock that all instances share. */
export type Moment = (transaction: Queries) => Promise<number>

/** @param now of this process; what a file is stamped by, whose processes are all on one machine. */
export function momentOf({ kind, nowMs }: Pick<Database, 'kind' | 'nowMs'>, now: () => number): Moment {
  if (kind === 'sqlite') return async () => Math.floor(now())
  return async (transaction) => {
    const row = await transaction.get(`SELECT ${nowMs} AS now`)
    if (row === undefined) throw new TypeError('the database has no time')
    return integer(row, 'now')
  }
}

type Stamp = Pick<NewRevocation, 'notBeforeMs' | 'expiresAt'>

/** Moves the stamps of an act that was stamped by another clock, and before it had to wait, on to `momentMs`. */
export function movedTo(momentMs: number, act: RevocationAct): RevocationAct {
  if (act.asOfMs === undefined) return act
  const moved = stampMover(momentMs, act.asOfMs)
  const ends = <T extends { readonly revokeTokens?: Stamp }>(ended: T): T =>
    ended.revokeTokens === undefined ? ended : { ...ended, revokeTokens: moved(ended.revokeTokens) }
  return {
    ...act,
    revocations: act.revocations.map(moved),
    endAuthorizations: act.endAuthorizations.map(ends),
    endProviderSignIns: (act.endProviderSignIns ?? []).map(moved),
    endBrowserSessions: (act.endBrowserSessions ?? []).map((each) => ({
      ...each,
      revokeTokens: moved(each.revokeTokens),
    })),
    endAppPasswords: (act.endAppPasswords ?? []).map((each) => ({ ...each, revokeTokens: moved(each.revokeTokens) })),
    ...(act.lostGroups === undefined ? {} : { lostGroups: moved(act.lostGroups) }),
  }
}

/** An entry is never forgotten earlier than whoever stamped it wanted. */
export function stampMover(momentMs: number, asOfMs: number): <T extends Stamp>(stamp: T) => T {
  const onMs = momentMs - asOfMs
  return (stamp) => ({
    ...stamp,
    notBeforeMs: stamp.notBeforeMs + onMs,
    expiresAt: stamp.expiresAt + Math.max(0, Math.ceil(onMs / 1_000)),
  })
}

export function revocationOf(row: Row): Revocation {
  return {
    id: integer(row, 'id'),
    kind: oneOf(row, 'kind', REVOCATION_KINDS),
    key: text(row, 'key'),
    notBeforeMs: integer(row, 'not_before_ms'),
    expiresAt: integer(row, 'expires_at'),
  }
}
