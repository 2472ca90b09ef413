import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { type DavPath, isWithin } from './dav-path.ts'
import { escapeXml } from './dav-xml.ts'
import { Refusal } from './sample-server.ts'

/** An exclusive write lock (RFC 4918 §6). */
export interface DavLock {
  readonly token: string
  readonly path: DavPath
  /** Whether it covers what lies below. */
  readonly deep: boolean
  readonly owner: string
  readonly untilMs: number
}

/** The locks of one server, in memory. */
export interface DavLocks {
  /** Throws a 423 Refusal while another lock covers the path. */
  take(path: DavPath, deep: boolean, owner: string): DavLock
  /** Throws a 412 Refusal when `request` names no lock of the path. */
  refresh(path: DavPath, request: IncomingMessage): DavLock
  /** Throws a 409 Refusal when no such lock covers the path. */
  release(path: DavPath, token: string): void
  /** Throws a 423 Refusal when a lock stands in the way of writing that `request` doesn't name. `deep`: with all below. */
  mayWrite(path: DavPath, request: IncomingMessage, deep: boolean): void
  /** Forgets those at and below a path that is gone. */
  drop(path: DavPath): void
  /** The content of the property `lockdiscovery`. */
  discovery(path: DavPath): string
}

const LOCK_SECONDS = 600
const MAX_LOCKS = 1000

export function createLocks(): DavLocks {
  const locks = new Map<string, DavLock>()
  const alive = (): readonly DavLock[] => {
    for (const [token, lock] of locks) if (lock.untilMs < Date.now()) locks.delete(token)
    return [...locks.values()]
  }
  const covering = (path: DavPath, deep: boolean): readonly DavLock[] =>
    alive().filter((lock) => covers(lock, path) || (deep && isWithin(path, lock.path)))
  const keep = (lock: DavLock): DavLock => {
    locks.set(lock.token, lock)
    return lock
  }
  return {
    take: (path, deep, owner) => {
      if (covering(path, deep).length > 0) throw new Refusal(423, 'somebody else has locked it')
      if (locks.size >= MAX_LOCKS) throw new Refusal(507, 'too many locks')
      return keep({ token: `urn:uuid:${randomUUID()}`, path, deep, owner, untilMs: Date.now() + LOCK_SECONDS * 1000 })
    },
    refresh: (path, request) => {
      const lock = covering(path, false).find((each) => names(request, each))
      if (lock === undefined) throw new Refusal(412, 'name the lock in If')
      return keep({ ...lock, untilMs: Date.now() + LOCK_SECONDS * 1000 })
    },
    release: (path, token) => {
      const lock = covering(path, false).find((each) => each.token === token)
      if (lock === undefined) throw new Refusal(409, 'no such lock covers it')
      locks.delete(lock.token)
    },
    mayWrite: (path, request, deep) => {
      if (covering(path, deep).some((lock) => !names(request, lock))) throw new Refusal(423, 'it is locked')
    },
    drop: (path) => {
      for (const lock of alive()) if (isWithin(path, lock.path)) locks.delete(lock.token)
    },
    discovery: (path) => covering(path, false).map(activeLock).join(''),
  }
}

/** The element `activelock` (RFC 4918 §14.1). */
export function activeLock(lock: DavLock): string {
  return `<D:activelock><D:locktype><D:write/></D:locktype><D:lockscope><D:exclusive/></D:lockscope><D:depth>${
    lock.deep ? 'infinity' : '0'
  }</D:depth><D:owner>${escapeXml(lock.owner)}</D:owner><D:timeout>Second-${LOCK_SECONDS}</D:timeout><D:locktoken><D:href>${
    lock.token
  }</D:href></D:locktoken></D:activelock>`
}

function covers(lock: DavLock, path: DavPath): boolean {
  return isWithin(lock.path, path) && (lock.deep || lock.path.length === path.length)
}

function names({ headers }: IncomingMessage, lock: DavLock): boolean {
  return typeof headers.if === 'string' && headers.if.includes(`<${lock.token}>`)
}
