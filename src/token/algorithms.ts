import { constants, type KeyObject, type VerifyKeyObjectInput, verify } from 'node:crypto'
import { ecdsaSignature } from './ecdsa-signature.ts'

/** A JWS signature algorithm (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2.2) and the kind of key that it takes. */
interface Algorithm {
  readonly kty: 'RSA' | 'EC' | 'OKP'
  readonly crv?: string
  readonly hash: string | null
  /** Beside the key; undefined where the key says it all: node:crypto takes a fifth longer with options. */
  readonly options?: Omit<VerifyKeyObjectInput, 'key'>
  /** From the form that JWS has to the one that OpenSSL takes; undefined: it has not that form. */
  readonly convert?: (signature: Uint8Array) => Uint8Array | undefined
}

/** Everything that can be verified. Asymmetric only: there is no secret to confuse with a public key. */
const ALGORITHMS: ReadonlyMap<string, Algorithm> = new Map([
  ['RS256', pkcs1('sha256')],
  ['RS384', pkcs1('sha384')],
  ['RS512', pkcs1('sha512')],
  ['PS256', pss('sha256')],
  ['PS384', pss('sha384')],
  ['PS512', pss('sha512')],
  ['ES256', ecdsa('P-256', 'sha256', 32)],
  ['ES384', ecdsa('P-384', 'sha384', 48)],
  ['ES512', ecdsa('P-521', 'sha512', 66)],
  ['EdDSA', ed25519()],
  ['Ed25519', ed25519()],
])

/** Whether a signature over `input` is this key's. */
export type SignatureCheck = (input: Uint8Array, signature: Uint8Array) => boolean

/** A check for each algorithm that a key of this kind can be used with. */
export function signatureChecks(key: KeyObject, kty: unknown, crv: unknown): Map<string, SignatureCheck> {
  const checks = new Map<string, SignatureCheck>()
  for (const [alg, algorithm] of ALGORITHMS) {
    if (algorithm.kty === kty && (algorithm.crv === undefined || algorithm.crv === crv)) {
      checks.set(alg, signatureCheck(algorithm, key))
    }
  }
  return checks
}

function signatureCheck({ hash, options, convert }: Algorithm, key: KeyObject): SignatureCheck {
  const input = options === undefined ? key : { key, ...options }
  return (signed, signature) => {
    const converted = convert === undefined ? signature : convert(signature)
    if (converted === undefined) return false
    try {
      return verify(hash, signed, input, converted)
    } catch {
      // What OpenSSL can't work with, such as a key too short for the padding, is not a good signature.
      return false
    }
  }
}

function pkcs1(hash: string): Algorithm {
  // The padding that node:crypto takes for RSA keys unless told otherwise; keys made for PSS alone can't be imported from JWKs.
  return { kty: 'RSA', hash }
}

function pss(hash: string): Algorithm {
  const options = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
  return { kty: 'RSA', hash, options }
}

function ecdsa(crv: string, hash: string, numberBytes: number): Algorithm {
  return { kty: 'EC', crv, hash, convert: (signature) => ecdsaSignature(signature, numberBytes) }
}

function ed25519(): Algorithm {
  return { kty: 'OKP', crv: 'Ed25519', hash: null }
}
