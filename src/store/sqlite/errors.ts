import { StoreError } from '../store.ts'

interface Explanation {
  readonly message: string
  readonly hint: string
}

/** Primary result codes of SQLite (the low byte of an extended one). */
const BY_RESULT_CODE: ReadonlyMap<number, Explanation> = new Map([
  [3, { message: 'no permission', hint: 'give the user that runs audgate read and write access to it' }],
  [
    5,
    {
      message: 'locked by another process',
      hint: 'find what holds it open (a backup, a stopped process) and end that',
    },
  ],
  [6, { message: 'locked', hint: 'try again' }],
  [8, { message: 'read-only', hint: 'give the user that runs audgate write access to the file and its folder' }],
  [10, { message: 'the disk reports an error', hint: 'check the disk and the file system below it' }],
  [11, { message: 'damaged', hint: 'stop audgate and restore the file from a backup' }],
  [13, { message: 'the disk is full', hint: 'free space on the disk that holds it' }],
  [
    14,
    {
      message: 'cannot be opened',
      hint: 'check that its folder exists and may be written by the user that runs audgate',
    },
  ],
  [26, { message: 'not a database of audgate', hint: 'name another file under `store:`, or move this one away' }],
])

const BY_SYSTEM_CODE: ReadonlyMap<string, Explanation> = new Map([
  [
    'EACCES',
    { message: 'no permission', hint: 'give the user that runs audgate write access to the file and its folder' },
  ],
  [
    'EPERM',
    { message: 'no permission', hint: 'give the user that runs audgate write access to the file and its folder' },
  ],
  ['EROFS', { message: 'on a read-only file system', hint: 'name a file on a writable disk under `store:`' }],
  ['ENOSPC', { message: 'the disk is full', hint: 'free space on the disk that holds it' }],
  ['EDQUOT', { message: 'the disk quota is used up', hint: 'free space or raise the quota' }],
  ['ENOTDIR', { message: 'a part of its path is no folder', hint: 'correct the path under `store:`' }],
  ['EEXIST', { message: 'a part of its path is no folder', hint: 'correct the path under `store:`' }],
  ['EISDIR', { message: 'a folder', hint: 'name a file under `store:`' }],
  ['ENOENT', { message: 'not there', hint: 'correct the path under `store:`, or run `audgate serve` once' }],
])

/** Whether another connection holds the lock (SQLITE_BUSY): worth another try. */
export function busy(error: unknown): boolean {
  return resultCode(error) === 5
}

/** The store's own error for one of SQLite's or of the file system's; whatever else it is comes back as it was. */
export function asStoreError(error: unknown, path: string): unknown {
  const explanation = explain(error)
  if (explanation === undefined) return error
  return new StoreError(`store ${path}: ${explanation.message}`, explanation.hint, { cause: error })
}

function explain(error: unknown): Explanation | undefined {
  const code = resultCode(error)
  if (code !== undefined) {
    return BY_RESULT_CODE.get(code) ?? { message: `the database reports fault ${code}`, hint: 'see the log' }
  }
  if (!(error instanceof Error) || !('syscall' in error) || !('code' in error)) return undefined
  return BY_SYSTEM_CODE.get(String(error.code))
}

function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error)) return undefined
  return typeof error.errcode === 'number' ? error.errcode & 0xff : undefined
}
