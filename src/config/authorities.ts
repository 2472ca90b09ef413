import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { type Checking, present, type RouteDraft } from './check/check.ts'
import type { Path } from './source.ts'

/** PEM texts of the certificates that routes and providers trust, by the file's name as it stands in `upstream_tls.ca` and `connect.ca`. */
export type Authorities = ReadonlyMap<string, string>

/**
 * Checks each route's `upstream_tls` and reads the certificates that it names, once per reading of the file: a new certificate counts from the next
 * reload on. What can't be read, or holds no certificate, is a problem;
 * at a provider it is warned of.
 * @param file Its folder is what paths are relative to. @param certificates reads one file of them.
 */
export function readAuthorities(
  checking: Checking,
  file: string,
  certificates: typeof certificatesIn = certificatesIn,
): Authorities {
  const read = new Map<string, string>()
  for (const [index, route] of present(checking.draft.routes)) {
    const path = ['routes', index, 'upstream_tls']
    checkUse(checking, path, route)
    const name = route.upstream_tls?.ca
    if (name === undefined || read.has(name)) continue
    const found = certificates(resolve(dirname(file), name))
    if ('pem' in found) read.set(name, found.pem)
    else checking.at([...path, 'ca'], `${checking.shown([...path, 'ca'])} ${found.fault}`)
  }
  for (const [path, name] of providersOf(checking)) {
    const found = certificates(resolve(dirname(file), name))
    if ('pem' in found) read.set(name, found.pem)
    else
      checking.warn(
        path,
        `${checking.shown(path)} ${found.fault}: nobody can sign in at this provider until it is there`,
      )
  }
  return read
}

/** Where providers name a file, and its name. One that can't be used stops no start: other ways in work without it. */
function providersOf({ draft: { issuer } }: Checking): readonly (readonly [Path, string])[] {
  const providers = issuer !== undefined && issuer !== false && 'providers' in issuer ? present(issuer.providers) : []
  return providers.flatMap(([index, { connect }]) =>
    connect?.ca === undefined ? [] : [[['issuer', 'providers', index, 'connect', 'ca'], connect.ca] as const],
  )
}

function checkUse(checking: Checking, path: Path, { upstream, upstream_tls: tls }: RouteDraft): void {
  if (tls === undefined || upstream === undefined) return
  const upstreams = Array.isArray(upstream) ? present(upstream).map(([, each]) => each) : [upstream]
  if (upstreams.every(({ protocol }) => protocol === 'http:'))
    checking.atKey(path, '`upstream_tls` is for https upstreams, and this route has none')
  if (tls.verify === false && tls.ca !== undefined)
    checking.atKey([...path, 'ca'], 'with `verify: false` no certificate is looked at; remove one of both')
}

/** The text of a file with certificates, or the end of a sentence that begins with its name. */
export function certificatesIn(path: string): { readonly pem: string } | { readonly fault: string } {
  try {
    const pem = readFileSync(path, 'latin1')
    return new X509Certificate(pem).subject === undefined ? { fault: 'holds no certificate' } : { pem }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (code === 'ENOENT') return { fault: 'does not exist' }
    return {
      fault: code.startsWith('E') && !code.startsWith('ERR_') ? `can't be read (${code})` : 'holds no PEM certificate',
    }
  }
}
