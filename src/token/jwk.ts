import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import { type JsonObject, member } from './jws.ts'
import { type SignatureCheck, signatureChecks } from './signature.ts'

/** A public key that signatures can be checked with. */
export interface VerificationKey {
  readonly kid: string | undefined
  /** By `alg`: those of the key's kind, or only the one that the JWK names. */
  readonly checks: ReadonlyMap<string, SignatureCheck>
  /** Equal for equal keys with equal `kid` and `alg`. */
  readonly fingerprint: string
}

/** Members that only a private or symmetric key has (RFC 7518 §6). */
const SECRET_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

/** RFC 7518 §3.3 asks for the lower bound; the upper ones bound what checking a signature costs. */
const MIN_RSA_BITS = 2048
const MAX_RSA_BITS = 8192
const MAX_RSA_EXPONENT = 2n ** 32n

/**
 * The key in a JWK, undefined when it is not fit for checking signatures: symmetric, private, weak, broken, of an unknown kind, or meant
 * for something else by `use`, `key_ops` or `alg` (RFC 7517 §4). Certificates and URLs in it are not looked at. Never throws.
 */
export function importJwk(jwk: JsonObject): VerificationKey | undefined {
  const [kid, alg, kty, crv] = ['kid', 'alg', 'kty', 'crv'].map((name) => member(jwk, name))
  if (SECRET_MEMBERS.some((name) => Object.hasOwn(jwk, name)) || !isForVerifying(jwk)) return undefined
  if (kid !== undefined && typeof kid !== 'string') return undefined
  const key = publicKey(jwk)
  if (key === undefined) return undefined
  const checks = signatureChecks(key, kty, crv)
  if (alg !== undefined) for (const name of checks.keys()) if (name !== alg) checks.delete(name)
  if (checks.size === 0) return undefined
  return { kid, checks, fingerprint: JSON.stringify([kid, alg, thumbprint(jwk)]) }
}

/** RFC 7638 thumbprint with SHA-256, base64url. Over the members as written: does NOT check that they are a key. */
export function thumbprint(jwk: JsonObject): string {
  // JSON.stringify leaves out what is undefined, and the names stand in lexicographic order, as §3 of the RFC wants.
  const required = Object.fromEntries(requiredMembers(jwk).map((name) => [name, member(jwk, name)]))
  return createHash('sha256').update(JSON.stringify(required)).digest('base64url')
}

function requiredMembers(jwk: JsonObject): readonly string[] {
  switch (member(jwk, 'kty')) {
    case 'RSA':
      return ['e', 'kty', 'n']
    case 'EC':
      return ['crv', 'kty', 'x', 'y']
    default:
      return ['crv', 'kty', 'x']
  }
}

function isForVerifying(jwk: JsonObject): boolean {
  const use = member(jwk, 'use')
  const operations = member(jwk, 'key_ops')
  if (use !== undefined && use !== 'sig') return false
  return operations === undefined || (Array.isArray(operations) && operations.includes('verify'))
}

function publicKey(jwk: JsonObject): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: { ...jwk }, format: 'jwk' })
    return key.asymmetricKeyType === 'rsa' && !isFitRsa(key) ? undefined : key
  } catch {
    return undefined
  }
}

function isFitRsa(key: KeyObject): boolean {
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {}
  if (modulusLength < MIN_RSA_BITS || modulusLength > MAX_RSA_BITS) return false
  return publicExponent >= 3n && publicExponent % 2n === 1n && publicExponent < MAX_RSA_EXPONENT
}
