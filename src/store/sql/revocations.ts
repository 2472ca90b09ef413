import { randomBytes } from 'node:crypto'
import { personKey, type Revocation } from '../../core/revocation.ts'
import { lookupKey } from '../sealed-payload.ts'
import { type AuditRecord, type NewRevocation, type RevocationAct, type Store, StoreError } from '../store.ts'
import { insertAudit } from './audits.ts'
import { dropBrowserSessions } from './browser-sessions.ts'
import { setClientRevoked } from './clients.ts'
import type { Database, Queries, Transaction } from './database.ts'
import { voidLinksOf } from './links.ts'
import { locksOfAct } from './locks.ts'
import { endedWith, lackingOf, momentOf, movedTo, putInForce, revocationOf } from './revocation-entries.ts'
import { integer, strings, text, type Where, whereAll } from './row.ts'
import { gidsOfSession, putPasswordDue } from './session-facts.ts'
import { updateUser } from './users.ts'

type RevocationQueries = Pick<Store, 'act' | 'revocations' | 'position' | 'lastRevocationId' | 'renewEpoch' | 'putBack'>
type EndAuthorizations = RevocationAct['endAuthorizations'][number]

const PUT_BACK_AT_ONCE = 200
/** What a client begins by itself, before anybody has said yes to it. */
const BEGUN = "'PushedAuthorizationRequest', 'DeviceCode'"

/**
 * Acts of revocation, and the entries that they put in force.
 * @param now milliseconds: what audit lines carry.
 */
export function revocationQueries(
  database: Database,
  now: () => number,
  origin: 'server' | 'command',
): RevocationQueries {
  const moment = momentOf(database, now)
  const position = `SELECT epoch, position, nonce, swept_at, ${database.timeline} AS timeline FROM feed`
  return {
    act: async (act) => {
      const entries: Revocation[] = []
      await database.write(async (transaction) => {
        entries.length = 0
        for (const names of locksOfAct(act)) await transaction.lock('exclusive', names)
        const stamped = act.asOfMs === undefined ? act : movedTo(await moment(transaction), act)
        const added = await carryOut(transaction, stamped, { at: Math.floor(now() / 1000), origin })
        // Numbered last: numbers are in the order of commits then, and no reader can pass one by that comes later.
        transaction.atCommit(async (queries) => {
          entries.push(...(await putInForce(queries, added)))
        })
      }, 'disk')
      return entries
    },
    revocations: async (afterId, now, limit = Number.MAX_SAFE_INTEGER) => {
      const sql = 'SELECT * FROM revocations WHERE id > ? AND expires_at > ? ORDER BY id LIMIT ?'
      return (await database.watch.all(sql, afterId, now, limit)).map(revocationOf)
    },
    position: async () => {
      const row = await database.watch.get(position)
      if (row === undefined) throw new TypeError('the counter of revocations is gone')
      // Not max(id): the last entry may have expired and been swept.
      const timeline = text(row, 'timeline')
      // A standby that lacked acts gives their numbers to others: it is another history, however far it has come since.
      const epoch = timeline === '' ? text(row, 'epoch') : `${text(row, 'epoch')}.${timeline}`
      const id = integer(row, 'position')
      return { epoch, id, nonce: text(row, 'nonce'), sweptAt: integer(row, 'swept_at') }
    },
    lastRevocationId: async () => {
      const row = await database.get('SELECT position FROM feed')
      if (row === undefined) throw new TypeError('the counter of revocations is gone')
      return integer(row, 'position')
    },
    renewEpoch: async () => {
      await database.run('UPDATE feed SET epoch = ?', randomBytes(8).toString('hex'))
    },
    putBack: async (entries) => {
      let lacking = 0
      for (let at = 0; at < entries.length; at += PUT_BACK_AT_ONCE) {
        const some = entries.slice(at, at + PUT_BACK_AT_ONCE)
        lacking += await database.write((transaction) => putBack(transaction, some))
      }
      return lacking
    },
  }
}

async function carryOut(
  queries: Queries,
  act: RevocationAct,
  by: Pick<AuditRecord, 'at' | 'origin'>,
): Promise<readonly NewRevocation[]> {
  const entries = [...act.revocations]
  for (const ended of act.endAuthorizations) entries.push(...(await endAuthorizations(queries, ended)))
  for (const { sub, clientId } of act.deleteConsents) {
    const where = someOf({ sub, client_id: clientId })
    await queries.run(`DELETE FROM consents WHERE ${where.sql}`, ...where.values)
  }
  for (const ended of act.endSessions) await endSessions(queries, ended)
  for (const ended of act.endProviderSignIns ?? []) entries.push(...(await endProviderSignIn(queries, ended)))
  for (const { issuer, person } of act.deleteProviderLinks ?? []) {
    await queries.run('DELETE FROM provider_links WHERE issuer = ? AND person = ?', issuer, person)
  }
  if (act.voidLinksOf !== undefined) await voidLinksOf(queries, act.voidLinksOf)
  for (const ended of act.endBrowserSessions ?? []) entries.push(...(await endBrowserSessions(queries, ended)))
  for (const ended of act.endAppPasswords ?? []) entries.push(...(await endAppPasswords(queries, ended)))
  entries.push(...(await lostGroups(queries, act)))
  await setRecords(queries, act)
  for (const line of [act.audit, ...(act.audits ?? [])]) await insertAudit(queries, { ...line, ...by })
  return entries
}

async function endSessions(queries: Queries, { sub, exceptUid }: RevocationAct['endSessions'][number]): Promise<void> {
  const ends = `(model = 'Interaction' OR model = 'Session' AND coalesce(uid_key, '') <> ?)`
  const sql = `DELETE FROM models WHERE account_id = ? AND ${ends}`
  await queries.run(sql, sub, exceptUid === undefined ? '-' : lookupKey(exceptUid))
  await queries.run('DELETE FROM remembered_browsers WHERE sub = ?', sub)
}

/**
 * Puts entries that the store lacks in force as they are; answers how many that were. A store that has forgotten an act has again
 * what the act ended: a refresh token of then would make tokens that are newer than the entry.
 */
async function putBack(transaction: Transaction, entries: readonly NewRevocation[]): Promise<number> {
  const lacking = await lackingOf(transaction, entries)
  const ended = endedWith(lacking)
  const locks = locksOfAct({ revocations: [], deleteConsents: [], ...ended })
  for (const names of locks) await transaction.lock('exclusive', names)
  for (const each of ended.endAuthorizations) await endAuthorizations(transaction, each)
  for (const each of ended.endSessions) await endSessions(transaction, each)
  await putInForce(transaction, lacking)
  return lacking.length
}

/** What two changes side by side took away is found here, where one comes after the other. */
async function lostGroups(queries: Queries, act: RevocationAct): Promise<readonly NewRevocation[]> {
  const { setUser, lostGroups: stamp } = act
  if (setUser?.groups === undefined || stamp === undefined) return []
  const row = await queries.get('SELECT groups FROM users WHERE sub = ?', setUser.sub)
  const lost = (row === undefined ? [] : strings(row, 'groups')).filter((group) => !setUser.groups?.includes(group))
  const keys = lost.map((group) => personKey(setUser.sub, group))
  return keys
    .filter((key) => !act.revocations.some((each) => each.kind === 'sub_group' && each.key === key))
    .map((key) => ({ kind: 'sub_group', key, ...stamp }))
}

async function setRecords(queries: Queries, act: RevocationAct): Promise<void> {
  if (act.passwordDue !== undefined) await putPasswordDue(queries, act.passwordDue.sub, act.passwordDue.at)
  if (act.setUser !== undefined) {
    const { sub, ...change } = act.setUser
    if (!(await updateUser(queries, sub, change))) throw gone(`user ${sub}`)
  }
  if (act.setClient === undefined) return
  const { id, revoked } = act.setClient
  if (!(await setClientRevoked(queries, id, revoked))) throw gone(`client ${id}`)
}

async function endAuthorizations(queries: Queries, ended: EndAuthorizations): Promise<readonly NewRevocation[]> {
  const spared = [ended.exceptGid ?? '', ended.exceptIssuerSession ?? '']
  const unlessSpared = `gid <> ? AND gid NOT IN (SELECT held.gid FROM browser_session_resources AS held
    JOIN browser_sessions ON browser_sessions.id = held.session WHERE browser_sessions.issuer_session = ?)`
  const where = someOf({ sub: ended.sub, client_id: ended.clientId, gid: ended.gid })
  const sql = `UPDATE authorizations SET ended = 1 WHERE ended = 0 AND ${where.sql} AND ${unlessSpared} RETURNING gid`
  const gids = (await queries.all(sql, ...where.values, ...spared)).map((row) => text(row, 'gid')).sort()
  for (const gid of gids) await queries.run('DELETE FROM models WHERE gid = ?', gid)
  // Codes and grants of an authorization that was not recorded yet, and sign-ins half done, are found by their own columns.
  const own = someOf({ account_id: ended.sub, client_id: ended.clientId, gid: ended.gid })
  const carries = `(model = 'Interaction' OR gid IS NOT NULL AND ${unlessSpared} OR gid IS NULL AND model IN (${BEGUN}))`
  await queries.run(`DELETE FROM models WHERE ${own.sql} AND ${carries}`, ...own.values, ...spared)
  const { revokeTokens } = ended
  return revokeTokens === undefined ? [] : gids.map((gid) => ({ kind: 'gid', key: gid, ...revokeTokens }))
}

/** What it was asked again with goes with it. A sign-in that native clients or app passwords still live by stands, and is asked at once. */
async function endProviderSignIn(
  queries: Queries,
  { id, keepNative, notBeforeMs, expiresAt }: NonNullable<RevocationAct['endProviderSignIns']>[number],
): Promise<readonly NewRevocation[]> {
  const rows = await queries.all(
    `SELECT gid, CASE WHEN EXISTS (SELECT 1 FROM app_passwords w WHERE w.gid = provider_authorizations.gid) THEN 'native'
        ELSE coalesce((SELECT type FROM clients WHERE id = client_id), 'web') END AS type
      FROM provider_authorizations WHERE sign_in = ? AND (EXISTS (SELECT 1 FROM models m WHERE m.gid = provider_authorizations.gid)
        OR EXISTS (SELECT 1 FROM authorizations a WHERE a.gid = provider_authorizations.gid AND a.ended = 0)
        OR EXISTS (SELECT 1 FROM app_passwords w WHERE w.gid = provider_authorizations.gid))`,
    id,
  )
  const spared = rows.filter((row) => keepNative && text(row, 'type') === 'native')
  const entries: NewRevocation[] = []
  for (const row of rows.filter((each) => !spared.includes(each))) {
    const ended = { gid: text(row, 'gid'), revokeTokens: { notBeforeMs, expiresAt } }
    entries.push(...(await endAuthorizations(queries, ended)), ...(await endAppPasswords(queries, ended)))
  }
  const key = '(SELECT session_key FROM provider_sign_ins WHERE id = ?)'
  await queries.run(`DELETE FROM models WHERE model = 'Session' AND uid_key = ${key}`, id)
  if (spared.length > 0) await queries.run('UPDATE provider_sign_ins SET due_at_ms = ? WHERE id = ?', notBeforeMs, id)
  else await queries.run("UPDATE provider_sign_ins SET ended = 1, sealed = '', due_at_ms = NULL WHERE id = ?", id)
  return entries
}

/** With the session of the issuer that they were opened under. */
async function endBrowserSessions(
  queries: Queries,
  ended: NonNullable<RevocationAct['endBrowserSessions']>[number],
): Promise<readonly NewRevocation[]> {
  const { issuerSession, withAuthorizations, revokeTokens } = ended
  const given = withAuthorizations
    ? await endGivenIn(queries, issuerSession, revokeTokens)
    : await endWaiting(queries, ended)
  await queries.run('UPDATE session_facts SET ended = 1 WHERE issuer_session = ?', issuerSession)
  await queries.run(`DELETE FROM models WHERE model = 'Session' AND uid_key = ?`, issuerSession)
  const rows = await queries.all('SELECT id FROM browser_sessions WHERE issuer_session = ?', issuerSession)
  const gids = await dropBrowserSessions(
    queries,
    rows.map((row) => text(row, 'id')),
  )
  for (const gid of gids) {
    await queries.run('UPDATE authorizations SET ended = 1 WHERE gid = ?', gid)
    await queries.run('DELETE FROM models WHERE gid = ?', gid)
  }
  return [...given, ...gids.map((gid) => ({ kind: 'gid' as const, key: gid, ...revokeTokens }))]
}

/** What was given in a session and nobody has taken up yet: codes, and what `clientId` has not opened a browser session with. */
async function endWaiting(
  queries: Queries,
  { issuerSession, clientId, revokeTokens }: NonNullable<RevocationAct['endBrowserSessions']>[number],
): Promise<readonly NewRevocation[]> {
  const entries: NewRevocation[] = []
  for (const gid of await gidsOfSession(queries, issuerSession)) {
    await queries.run("DELETE FROM models WHERE model = 'AuthorizationCode' AND gid = ? AND consumed_at IS NULL", gid)
    if (clientId === undefined || !(await waitsFor(queries, gid, clientId))) continue
    await endAuthorizations(queries, { gid })
    entries.push({ kind: 'gid', key: gid, ...revokeTokens })
  }
  return entries
}

/** Whether the client was given it and has not opened a browser session with it. */
async function waitsFor(queries: Queries, gid: string, clientId: string): Promise<boolean> {
  const sql = `SELECT gid FROM models WHERE gid = ? AND client_id = ?
    UNION SELECT gid FROM authorizations WHERE gid = ? AND client_id = ? AND ended = 0`
  if ((await queries.get(sql, gid, clientId, gid, clientId)) === undefined) return false
  return (await queries.get('SELECT gid FROM browser_session_resources WHERE gid = ?', gid)) === undefined
}

/** What was authorized in a session, wherever it is used, and what was about to be. */
async function endGivenIn(
  queries: Queries,
  issuerSession: string,
  revokeTokens: NonNullable<EndAuthorizations['revokeTokens']>,
): Promise<readonly NewRevocation[]> {
  const person = `SELECT account_id FROM models WHERE model = 'Session' AND uid_key = ?`
  await queries.run(`DELETE FROM models WHERE model = 'Interaction' AND account_id IN (${person})`, issuerSession)
  const entries: NewRevocation[] = []
  for (const gid of await gidsOfSession(queries, issuerSession)) {
    await endAuthorizations(queries, { gid })
    await queries.run('DELETE FROM app_passwords WHERE gid = ?', gid)
    // Of one that was not redeemed yet, too.
    entries.push({ kind: 'gid', key: gid, ...revokeTokens })
  }
  return entries
}

async function endAppPasswords(
  queries: Queries,
  { sub, id, gid, revokeTokens }: NonNullable<RevocationAct['endAppPasswords']>[number],
): Promise<readonly NewRevocation[]> {
  const where = whereAll({ sub, id, gid })
  const rows = await queries.all(`DELETE FROM app_passwords WHERE ${where.sql} RETURNING gid`, ...where.values)
  return rows.map((row) => ({ kind: 'gid', key: text(row, 'gid'), ...revokeTokens }))
}

/** Like `whereAll`, but refuses to match everything. */
function someOf(columns: Readonly<Record<string, string | undefined>>): Where {
  const where = whereAll(columns)
  if (where.values.length === 0) throw new TypeError(`an act must name one of ${Object.keys(columns).join(', ')}`)
  return where
}

function gone(what: string): StoreError {
  return new StoreError(`${what} is not there any more`, 'look at `audgate user list` and `audgate client list`')
}
