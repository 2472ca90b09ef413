import { readFile, stat } from 'node:fs/promises'
import { KeyLoadError, type KeyLoader, keysOf, type LoadedKeys } from './key-loader.ts'

const MAX_BYTES = 1024 * 1024
const LOOK_EVERY_SECONDS = 1

/** Keys from a JWK Set in a file, read again when it is another file than before or was written to. */
export function keyFile(path: string): KeyLoader {
  let known = ''
  const load = async (): Promise<LoadedKeys> => {
    const { mtimeMs, size, ino } = await stat(path)
    const seen = `${mtimeMs} ${size} ${ino}`
    if (seen === known) return { kind: 'unchanged', refreshSeconds: LOOK_EVERY_SECONDS }
    if (size > MAX_BYTES) throw new KeyLoadError(`${path} is larger than 1 MiB`)
    const jwks = keysOf(await readFile(path, 'utf8'), path)
    known = seen
    return { kind: 'keys', jwks, refreshSeconds: LOOK_EVERY_SECONDS }
  }
  return { load: () => load().catch((error: unknown) => Promise.reject(asLoadError(error, path))), maxRetrySeconds: 1 }
}

function asLoadError(error: unknown, path: string): KeyLoadError {
  if (error instanceof KeyLoadError) return error
  const code = error instanceof Error && 'code' in error ? error.code : 'unknown error'
  return new KeyLoadError(`${path} cannot be read (${code})`, { cause: error })
}
