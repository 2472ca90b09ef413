import type { KeptLink, LinkRecord, LinkStore } from '../link-store.ts'
import type { Database, Queries } from './database.ts'
import { personLock } from './locks.ts'
import { integer, oneOf, type Row, strings, text } from './row.ts'

/** Rows of one transaction: short enough that no request waits for it. */
const BATCH = 500

/** One-time links. */
export function linkQueries(database: Database): LinkStore {
  return {
    addLink: (link, mostOpen) =>
      database.write(async (queries) => {
        await queries.lock('exclusive', [personLock(link.sub)])
        const open = await openLinks(queries, link.sub, link.createdAt)
        if (open.length >= mostOpen) return 'too_many'
        await insert(queries, link)
        return 'added'
      }, 'disk'),
    link: async (secretHash) => {
      const row = await database.get('SELECT * FROM links WHERE secret_hash = ?', secretHash)
      return row === undefined ? undefined : linkOf(row)
    },
    openLinks: (sub, now) => openLinks(database, sub, now),
    useLink: (id, now) => database.write((queries) => use(queries, id, now), 'disk'),
    voidLink: async (id, sub) =>
      (await database.run("UPDATE links SET state = 'voided' WHERE id = ? AND sub = ? AND state = 'open'", id, sub)) ===
      1,
    voidLinksMadeBy: (madeBy) =>
      database.run("UPDATE links SET state = 'voided' WHERE made_by = ? AND state = 'open'", madeBy),
    voidOpenLinks: () => database.run("UPDATE links SET state = 'voided' WHERE state = 'open'"),
    takeExpiredLinks: async (now) => {
      const some = 'SELECT id FROM links WHERE expires_at < ? ORDER BY expires_at LIMIT ?'
      const sql = `DELETE FROM links WHERE id IN (${some}) RETURNING *`
      const gone = await database.write((queries) => queries.all(sql, now, BATCH))
      return gone.map(linkOf).filter(({ state }) => state === 'open')
    },
  }
}

/** Within a transaction. */
export async function voidLinksOf(queries: Queries, sub: string): Promise<void> {
  await queries.run("UPDATE links SET state = 'voided' WHERE sub = ? AND state = 'open'", sub)
}

async function insert(queries: Queries, link: LinkRecord): Promise<void> {
  await queries.run(
    `INSERT INTO links (id, secret_hash, kind, sub, made_by, created_at, expires_at, reset, state)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'open')`,
    link.id,
    link.secretHash,
    link.kind,
    link.sub,
    link.madeBy,
    link.createdAt,
    link.expiresAt,
    JSON.stringify(link.reset),
  )
}

/** Whoever has found a way in by one link has no use for another, and somebody else might. */
async function use(queries: Queries, id: string, now: number): Promise<boolean> {
  const sql = "UPDATE links SET state = 'used' WHERE id = ? AND state = 'open' AND expires_at > ? RETURNING sub"
  const row = await queries.get(sql, id, now)
  if (row === undefined) return false
  await queries.run("UPDATE links SET state = 'voided' WHERE sub = ? AND state = 'open'", text(row, 'sub'))
  return true
}

async function openLinks(queries: Pick<Queries, 'all'>, sub: string, now: number): Promise<readonly LinkRecord[]> {
  const sql = `SELECT * FROM links WHERE sub = ? AND state = 'open' AND expires_at > ? ORDER BY created_at DESC, id`
  return (await queries.all(sql, sub, now)).map(linkOf)
}

function linkOf(row: Row): KeptLink {
  return {
    id: text(row, 'id'),
    secretHash: text(row, 'secret_hash'),
    kind: oneOf(row, 'kind', ['invite', 'recover']),
    sub: text(row, 'sub'),
    madeBy: text(row, 'made_by'),
    createdAt: integer(row, 'created_at'),
    expiresAt: integer(row, 'expires_at'),
    reset: strings(row, 'reset'),
    state: oneOf(row, 'state', ['open', 'used', 'voided']),
  }
}
