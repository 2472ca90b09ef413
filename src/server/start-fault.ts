import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import type { Config, ListenAddress } from '../config/config.ts'
import type { TlsMaterial } from '../gateway/listener.ts'
import { StoreError } from '../store/store.ts'
import { type Closing, createClosing } from './closing.ts'

/** What keeps the server from starting, in a line that says what to do. */
export class StartFault extends Error {}

const BIND: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is taken: stop what listens there, or choose another port',
  EACCES: 'needs a privilege that this user lacks: choose a port above 1023, or grant CAP_NET_BIND_SERVICE',
  EADDRNOTAVAIL: 'is no address of this machine: choose one that is',
  ENOTFOUND: 'can’t be resolved: write an address, or mend the name',
}

const SOCKET_BIND: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is taken: stop what listens there, or choose another path',
  EACCES: 'lies in a folder that this user may not write: change its owner, or choose another path',
  ENOENT: 'lies in a folder that does not exist: make it',
  EINVAL: 'is too long for a socket: choose a path of at most 107 bytes',
}

/** The fault behind an error of binding `key` (`listen` or `management`). */
export function bindFault(key: string, address: ListenAddress, error: unknown): StartFault {
  const code = codeOf(error)
  if ('fd' in address) {
    const text = 'is no open socket: start audgate by its socket unit, or write an address'
    return new StartFault(`${key}: fd:${address.fd} ${text}`, { cause: error })
  }
  const texts = 'path' in address ? SOCKET_BIND : BIND
  return new StartFault(`${key}: ${shownAddress(address)} ${texts[code] ?? `can't be bound (${code})`}`, {
    cause: error,
  })
}

function shownAddress(address: Exclude<ListenAddress, { readonly fd: number }>): string {
  if ('path' in address) return `unix:${address.path}`
  return `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`
}

/** The fault behind certificates that can't be read or don't fit. */
function tlsFault(path: string, error: unknown): StartFault {
  const code = codeOf(error)
  const texts: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such file',
    EACCES: 'may not be read: check its permissions',
  }
  return new StartFault(`tls: ${path}: ${texts[code] ?? `is no good: ${textOf(error)}`}`, { cause: error })
}

/** What `start` opened. Rejects with a StartFault, and leaves nothing running, when something can't be had. */
export async function startOrClose<Started>(start: (closing: Closing) => Promise<Started>): Promise<Started> {
  const closing = createClosing()
  try {
    return await start(closing)
  } catch (error) {
    await closing.run()
    throw startFault(error)
  }
}

/** Any other fault, with the store's hint where there is one. */
export function startFault(error: unknown): StartFault {
  if (error instanceof StartFault) return error
  if (error instanceof StoreError) return new StartFault(`${error.message}: ${error.hint}`, { cause: error })
  return new StartFault(textOf(error), { cause: error })
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Certificate and key of the file, tried for fitting each other; undefined without TLS. Throws StartFault. */
export function readTls(tls: Config['tls']): TlsMaterial | undefined {
  if (tls === undefined) return undefined
  const cert = read(tls.cert)
  const key = read(tls.key)
  try {
    createSecureContext({ cert, key })
  } catch (error) {
    throw tlsFault(`${tls.cert}, ${tls.key}`, error)
  }
  return { cert, key }
}

/** Whether the certificate is over at `now` (milliseconds since the epoch), for a warning. */
export function hasEnded(tls: TlsMaterial, now: number): boolean {
  return new X509Certificate(tls.cert).validToDate.getTime() < now
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw tlsFault(path, error)
  }
}
