import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import type { Config } from '../config/config.ts'
import type { TlsMaterial } from './listener.ts'
import { tlsFault } from './start-fault.ts'

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
