import { randomBytes } from 'node:crypto'
import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Log } from '../observe/log.ts'
import { type Store, StoreError } from '../store/store.ts'

const LOOK_MS = 2_000
/** Room that is kept for acts of revocation: strangers' rows stop when less is left, or less than a twentieth of a small disk. */
const RESERVE_BYTES = 16 * 1024 * 1024
/** SQLSTATE disk_full, and SQLite's result code for it. */
const FULL: ReadonlySet<string> = new Set(['53100', 'sqlite_13'])
/** More than the pages that are there have left over: only a disk with room takes that. */
const PROOF_BYTES = 64 * 1024

/** Whether the store can be written, looked at every two seconds. */
export interface StoreHealth {
  /** Why it can't be written; undefined: it can. */
  fault(): string | undefined
  /** Whether what strangers cause may be written still. */
  hasRoom(): boolean
  /** A statement failed. @param code as the store's meter has it. */
  noteFailure(code: string): void
  close(): void
}

/** @param path of the store's file; undefined where it stands on no disk of this machine. */
export function watchStore(
  store: Pick<Store, 'putValue'>,
  path: string | undefined,
  log: Pick<Log, 'error' | 'info'>,
): StoreHealth {
  const state: { fault: string | undefined; full: boolean; room: boolean; looking: boolean } = {
    fault: undefined,
    full: false,
    room: true,
    looking: false,
  }
  const write = async (): Promise<void> => {
    await store.putValue('last written', new Date().toISOString())
    if (!state.full) return
    // A line that is no longer than before takes the place of that: it says nothing of room.
    await store.putValue('room', randomBytes(PROOF_BYTES).toString('base64'))
    state.full = false
    await store.putValue('room', '')
  }
  const look = async (): Promise<void> => {
    const fault = await write().then(() => undefined, inWords)
    if (fault !== state.fault) {
      if (fault === undefined) log.info('store.writable')
      else log.error('store.unwritable', { fault })
    }
    state.fault = fault
    state.room = !state.full && (path === undefined || (await hasRoom(path)))
  }
  const timer = setInterval(() => {
    if (state.looking) return
    state.looking = true
    look().finally(() => {
      state.looking = false
    })
  }, LOOK_MS)
  timer.unref()
  return {
    fault: () => state.fault,
    hasRoom: () => state.room,
    noteFailure: (code) => {
      if (!FULL.has(code)) return
      state.full = true
      state.room = false
    },
    close: () => clearInterval(timer),
  }
}

async function hasRoom(path: string): Promise<boolean> {
  const disk = await statfs(dirname(path)).catch(() => undefined)
  if (disk === undefined) return true
  return disk.bavail * disk.bsize > Math.min(RESERVE_BYTES, (disk.blocks * disk.bsize) / 20)
}

function inWords(error: unknown): string {
  return error instanceof StoreError
    ? `the store can't be written: ${error.message}`
    : `the store can't be written: ${String(error)}`
}
