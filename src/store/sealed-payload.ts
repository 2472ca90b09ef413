import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from 'node:crypto'

/** The key under which a secret is looked up: SHA-256, base64url. A copy of the database does not give the secret back. */
export function lookupKey(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url')
}

/** Which authorization a grant stands for, as its tokens carry it (`gid`): does not give the grant's id back. */
export function gidOf(grantId: string): string {
  return lookupKey(grantId).slice(0, 22)
}

/**
 * Seals `plain` so that only who knows `secret` (256 bits of chance; a user code has less, and lives for minutes) can read
 * it: AES-256-GCM under a key derived from the secret, which itself is not kept.
 */
export function sealUnder(secret: string, plain: string): string {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', derive(secret), nonce)
  return Buffer.concat([nonce, cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64')
}

/** What {@link sealUnder} sealed. Throws when the text was changed or sealed under another secret. */
export function openUnder(secret: string, sealed: string): string {
  const bytes = Buffer.from(sealed, 'base64')
  const decipher = createDecipheriv('aes-256-gcm', derive(secret), bytes.subarray(0, 12), { authTagLength: 16 })
  decipher.setAuthTag(bytes.subarray(-16))
  return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]).toString('utf8')
}

function derive(secret: string): Buffer {
  return createHmac('sha256', secret).update('audgate sealed payload').digest()
}
