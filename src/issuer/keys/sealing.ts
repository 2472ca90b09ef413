import { createCipheriv, createDecipheriv, hkdfSync, randomBytes, scrypt } from 'node:crypto'
import { link, mkdir, open, readFile, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { StoreError } from '../../store/store.ts'

const KEY_BYTES = 32
/** About 50 ms, once per start: AUDGATE_SECRET may be a passphrase. */
const SCRYPT = { N: 2 ** 15, r: 8, p: 1, maxmem: 64 * 1024 * 1024 }

/** A key for one purpose; `label` keeps keys for different purposes apart (RFC 5869). */
export function deriveKey(masterKey: Buffer, label: string): Buffer {
  return Buffer.from(hkdfSync('sha256', masterKey, '', `audgate ${label}`, KEY_BYTES))
}

/** AES-256-GCM under a key for `purpose`, base64url. Opens under the same purpose only. */
export function seal(masterKey: Buffer, purpose: string, plain: string): string {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', deriveKey(masterKey, `sealing ${purpose}`), nonce)
  cipher.setAAD(Buffer.from(purpose))
  return Buffer.concat([nonce, cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64url')
}

/**
 * What {@link seal} sealed; undefined when it was sealed with another key, for another purpose, or was changed. One value
 * has one spelling: the bits that base64url leaves over at the end have to be zero (RFC 4648 section 3.5).
 */
export function unseal(masterKey: Buffer, purpose: string, sealed: string): string | undefined {
  const bytes = Buffer.from(sealed, 'base64url')
  if (bytes.length < 28 || bytes.toString('base64url') !== sealed) return undefined
  const key = deriveKey(masterKey, `sealing ${purpose}`)
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12), { authTagLength: 16 })
  decipher.setAAD(Buffer.from(purpose))
  decipher.setAuthTag(bytes.subarray(-16))
  try {
    return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]).toString('utf8')
  } catch {
    return undefined
  }
}

/**
 * The 32 bytes that all keys are derived from: from `secret` (AUDGATE_SECRET), else from the file `<storePath>.key`, which
 * is made with mode 0600 where it is missing. Throws StoreError when that file can't be read or made, is damaged, or may be
 * read by others.
 */
export async function loadMasterKey(secret: string | undefined, storePath: string): Promise<Buffer> {
  if (secret !== undefined) return fromSecret(secret)
  if (storePath === ':memory:') return randomBytes(KEY_BYTES)
  const path = masterKeyFile(storePath)
  await refuseWideMode(path)
  try {
    await makeKeyFile(path)
    const key = Buffer.from((await readFile(path, 'utf8')).trim(), 'base64url')
    if (key.length === KEY_BYTES) return key
  } catch (error) {
    throw new StoreError(`key file ${path}: can't be read or made`, 'give the user that runs audgate access to it', {
      cause: error,
    })
  }
  throw new StoreError(`key file ${path}: damaged`, 'restore it from a backup, together with the store')
}

/** The 32 bytes in the file at `path`, which has to be there. Throws StoreError as {@link loadMasterKey} does. */
export async function readKeyFile(path: string): Promise<Buffer> {
  await refuseWideMode(path)
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    const hint = 'name the key file of the store, or make a new one: `openssl rand -base64 32 > FILE; chmod 600 FILE`'
    throw new StoreError(`key file ${path}: can't be read`, hint, { cause: error })
  })
  const key = Buffer.from(text.trim(), 'base64')
  if (key.length === KEY_BYTES) return key
  throw new StoreError(`key file ${path}: damaged`, 'it holds 32 bytes in base64; restore it from a backup')
}

/** A key that others could read is no secret any more: it is not gone on with as if nothing were wrong. */
async function refuseWideMode(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const found = await stat(path).catch(() => undefined)
  if (found === undefined || (found.mode & 0o077) === 0) return
  const mode = (found.mode & 0o777).toString(8).padStart(4, '0')
  throw new StoreError(`key file ${path}: others can read or change it (mode ${mode})`, `run \`chmod 600 ${path}\``)
}

/** Where the key stands when AUDGATE_SECRET is not set. */
export function masterKeyFile(storePath: string): string {
  return `${storePath}.key`
}

function fromSecret(secret: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(secret, 'audgate master key', KEY_BYTES, SCRYPT, (error, key) => {
      if (error === null) resolve(key)
      else reject(error)
    })
  })
}

/** Written elsewhere and linked whole: of two processes that start together, both read the first one's key. */
async function makeKeyFile(path: string): Promise<void> {
  if (await exists(path)) return
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const draft = `${path}.${randomBytes(6).toString('hex')}`
  const file = await open(draft, 'wx', 0o600)
  try {
    await file.writeFile(`${randomBytes(KEY_BYTES).toString('base64url')}\n`)
    await file.sync()
    await link(draft, path).catch(unlessCode('EEXIST'))
  } finally {
    await file.close()
    await rm(draft, { force: true })
  }
}

async function exists(path: string): Promise<boolean> {
  return readFile(path).then(() => true, unlessCode('ENOENT'))
}

/** Answers false for a fault with this code, and throws every other on. */
function unlessCode(code: string): (error: unknown) => false {
  return (error) => {
    if (error instanceof Error && 'code' in error && error.code === code) return false
    throw error
  }
}
