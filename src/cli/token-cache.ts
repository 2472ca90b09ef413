import { createHash, randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import { fail } from './failure.ts'
import type { TokenAsk, TokenSet } from './token-requests.ts'

/** Where the token for this issuer, client and resource is kept: below the user's configuration folder. */
export function tokenFile({ issuer, clientId, resource }: TokenAsk): string {
  const { XDG_CONFIG_HOME } = process.env
  // Relative paths are to be ignored (XDG Base Directory Specification).
  const named = XDG_CONFIG_HOME !== undefined && isAbsolute(XDG_CONFIG_HOME)
  const folder = named ? XDG_CONFIG_HOME : join(homedir(), '.config')
  const name = createHash('sha256').update(`${issuer}\0${clientId}\0${resource}`).digest('base64url')
  return join(folder, 'audgate', 'tokens', `${name}.json`)
}

/** The token kept in `file`; undefined when there is none for these scopes, or when it can't be read. */
export function keptToken(file: string, ask: TokenAsk): TokenSet | undefined {
  try {
    const kept: TokenSet & { readonly asked?: string } = JSON.parse(readFileSync(file, 'utf8'))
    const whole = typeof kept.accessToken === 'string' && typeof kept.expiresAt === 'number'
    return whole && kept.asked === sorted(ask.scope) ? kept : undefined
  } catch {
    return undefined
  }
}

/** Keeps the token, readable by this user alone, in one step: a second run never reads half of it. */
export function keepToken(file: string, ask: TokenAsk, token: TokenSet): void {
  const draft = `${file}.${randomBytes(6).toString('hex')}`
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    chmodSync(dirname(file), 0o700)
    writeFileSync(draft, JSON.stringify({ ...token, asked: sorted(ask.scope) }), { mode: 0o600, flag: 'wx' })
    renameSync(draft, file)
  } catch (error) {
    rmSync(draft, { force: true })
    const reason = error instanceof Error ? error.message : String(error)
    fail(
      `the token can't be kept in ${dirname(file)} (${reason}): give this user access to it, or set XDG_CONFIG_HOME`,
      1,
    )
  }
}

function sorted(scope: string): string {
  return scope.split(' ').filter(Boolean).sort().join(' ')
}
