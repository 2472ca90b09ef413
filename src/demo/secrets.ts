import { randomBytes } from 'node:crypto'
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeClientSecret } from '../issuer/clients/clients.ts'
import { StartFault } from '../server/start-fault.ts'

/** Passwords of the sample people and secrets of the sample clients that have one. */
export interface DemoSecrets {
  readonly alice: string
  readonly bob: string
  readonly 'album-web': string
  readonly 'photo-backup': string
}

/** Neither 0 and o nor 1 and l, which people confuse; 32 of them, so that a byte chooses without favour. */
const ALPHABET = 'abcdefghijkmnpqrstuvwxyz23456789'

/** The file of the sample people's passwords in the store's folder. */
export function secretsFile(folder: string): string {
  return join(folder, 'demo.json')
}

/**
 * What the file holds; made with mode 0600 at the first start, so that the second prints the same. Rejects with a StartFault when
 * it can't be read or made.
 */
export async function demoSecrets(folder: string): Promise<DemoSecrets> {
  const path = secretsFile(folder)
  const kept = await read(path)
  if (kept !== undefined) return kept
  const made: DemoSecrets = {
    alice: makePassword(),
    bob: makePassword(),
    'album-web': makeClientSecret(),
    'photo-backup': makeClientSecret(),
  }
  await writePrivately(path, `${JSON.stringify(made, null, 2)}\n`)
  return made
}

/** Puts `text` into a file of mode 0600, whole or not at all. Rejects with a StartFault. */
export async function writePrivately(path: string, text: string): Promise<void> {
  const draft = `${path}.${randomBytes(6).toString('hex')}`
  try {
    await mkdir(join(path, '..'), { recursive: true, mode: 0o700 })
    await writeFile(draft, text, { flag: 'wx', mode: 0o600 })
    await rename(draft, path)
  } catch (error) {
    throw fault(path, "can't be written: give the user that runs audgate write access to its folder", error)
  }
}

async function read(path: string): Promise<DemoSecrets | undefined> {
  try {
    const text = await readFile(path, 'utf8')
    await chmod(path, 0o600)
    return checked(JSON.parse(text))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw fault(path, "can't be read: give the user that runs audgate access to it, or delete it", error)
  }
}

function checked(value: unknown): DemoSecrets {
  const entries: Readonly<Record<string, unknown>> = typeof value === 'object' && value !== null ? { ...value } : {}
  const text = (name: string): string => {
    const entry = entries[name]
    if (typeof entry !== 'string') throw new Error(`${name} is missing`)
    return entry
  }
  return {
    alice: text('alice'),
    bob: text('bob'),
    'album-web': text('album-web'),
    'photo-backup': text('photo-backup'),
  }
}

/** Sixteen of 32 letters: 80 bits, and short enough to type. */
function makePassword(): string {
  const letters = [...randomBytes(16)].map((byte) => ALPHABET[byte % ALPHABET.length]).join('')
  return letters.replace(/(.{4})(?=.)/g, '$1-')
}

function fault(path: string, what: string, error: unknown): StartFault {
  return new StartFault(`--demo: ${path} ${what}`, { cause: error })
}
