import { constants, type KeyObject, type VerifyKeyObjectInput, verify } from 'node:crypto'

const SEQUENCE = 0x30
const INTEGER = 0x02
/** Longer contents have their length in a byte after this one. */
const LONG_FORM = 0x81
const LONGEST_SHORT_FORM = 0x7f

/**
 * An ECDSA signature as JWS has it, both numbers at their full length (RFC 7518 §3.4), in the form of X.509 (RFC 3279 §2.2.3). Undefined when
 * the length is another. Does NOT judge the numbers: that they are in range is for the verification to see.
 * @param numberBytes Of the curve's order: 66 at most.
 */
export function ecdsaSignature(signature: Uint8Array, numberBytes: number): Uint8Array | undefined {
  const end = 2 * numberBytes
  if (signature.length !== end) return undefined
  const r = significant(signature, 0, numberBytes)
  const s = significant(signature, numberBytes, end)
  const contents = integerBytes(signature, r, numberBytes) + integerBytes(signature, s, end)
  const isLong = contents > LONGEST_SHORT_FORM
  const der = new Uint8Array((isLong ? 3 : 2) + contents)
  der[0] = SEQUENCE
  der[1] = isLong ? LONG_FORM : contents
  if (isLong) der[2] = contents
  const at = putInteger(der, isLong ? 3 : 2, signature, r, numberBytes)
  putInteger(der, at, signature, s, end)
  return der
}

/** Where the number that ends before `end` begins, without leading zeros; a zero itself keeps one. */
function significant(bytes: Uint8Array, from: number, end: number): number {
  let start = from
  while (start < end - 1 && bytes[start] === 0) start += 1
  return start
}

/** With tag and length, and a zero before what would else read as negative. */
function integerBytes(bytes: Uint8Array, start: number, end: number): number {
  return 2 + end - start + (isHigh(bytes, start) ? 1 : 0)
}

/** Where the next one goes. */
function putInteger(der: Uint8Array, at: number, bytes: Uint8Array, start: number, end: number): number {
  const length = integerBytes(bytes, start, end)
  der[at] = INTEGER
  der[at + 1] = length - 2
  // Byte by byte: views of so few cost more than the bytes do.
  for (let from = end - 1, to = at + length - 1; from >= start; from -= 1, to -= 1) der[to] = bytes[from] ?? 0
  return at + length
}

function isHigh(bytes: Uint8Array, at: number): boolean {
  return (bytes[at] ?? 0) > LONGEST_SHORT_FORM
}

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
