import { readFileSync, statSync } from 'node:fs'

/** Variables of the environment by name. */
export type Environment = Readonly<Record<string, string | undefined>>

/** What the environment and files gave for a text; `missing` names variables that are neither set nor have a default. */
type Interpolated =
  | { readonly kind: 'plain' }
  | { readonly kind: 'filled'; readonly text: string }
  | { readonly kind: 'missing'; readonly names: readonly string[] }
  /** A file's path as it is written, and what is wrong with it. */
  | { readonly kind: 'unread'; readonly files: readonly (readonly [path: string, fault: string])[] }
  | { readonly kind: 'broken' }

const REFERENCE = /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|\$\{file:([^}]+)\}|\$\{/g

/** Where values come from that don't stand in the file. */
export interface ValueSources {
  readonly env: Environment
  /** Of a path as it is written. */
  readonly file: (path: string) => ValueOfFile
}

/**
 * Fills in `${NAME}`, `${NAME:-default}` and `${file:PATH}`; the default is for names that are unset or empty, as in a shell. `$${` is a plain
 * `${`. What was filled in is not read again. `broken`: a `${` without a name or its `}`.
 */
export function interpolate(text: string, { env, file }: ValueSources): Interpolated {
  if (!text.includes('${')) return { kind: 'plain' }
  const missing: string[] = []
  const unread: [string, string][] = []
  let broken = false
  const filled = text.replace(REFERENCE, (whole: string, name?: string, fallback?: string, path?: string) => {
    if (whole === '$${') return '${'
    if (path !== undefined) {
      const value = file(path)
      if (!value.ok) unread.push([path, value.fault])
      return value.ok ? value.text : ''
    }
    if (name === undefined) broken = true
    const value = name === undefined || !Object.hasOwn(env, name) ? undefined : env[name]
    if (fallback !== undefined) return value === undefined || value === '' ? fallback : value
    if (value === undefined && name !== undefined) missing.push(name)
    return value ?? ''
  })
  if (broken) return { kind: 'broken' }
  if (unread.length > 0) return { kind: 'unread', files: unread }
  return missing.length > 0 ? { kind: 'missing', names: missing } : { kind: 'filled', text: filled }
}

/** Larger than any value; nobody names a movie by mistake and has it read at each start. */
const MAX_BYTES = 64 * 1024

/** What a file gives for a value, or the end of a sentence that begins with the file's name. Never holds a part of the text. */
export type ValueOfFile = { readonly ok: true; readonly text: string } | { readonly ok: false; readonly fault: string }

/** The text of a file that holds one value, without its last line end: editors and `echo` write one. Never throws. */
export function readValueFile(path: string): ValueOfFile {
  try {
    const stats = statSync(path)
    // Reading from a pipe or a terminal would wait for ever.
    if (!stats.isFile()) return { ok: false, fault: 'is no regular file' }
    if (stats.size > MAX_BYTES) return { ok: false, fault: `is larger than ${MAX_BYTES / 1024} KiB` }
    const text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path))
    return { ok: true, text: text.replace(/\r?\n$/, '') }
  } catch (error) {
    return { ok: false, fault: faultOf(error) }
  }
}

function faultOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return 'is not UTF-8 text'
  return code === 'ENOENT' ? 'does not exist' : `can't be read (${code})`
}
