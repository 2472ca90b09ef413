import { createHash, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'
import type { JWK } from 'jose'

/** A signing key of a test. Sign with {@link mintToken}, publish {@link TestKey.publicJwk}. */
export interface TestKey {
  readonly kid: string
  readonly alg: string
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
  /** With `kid`, `alg` and `use: sig`. */
  readonly publicJwk: JWK & { readonly kid: string }
  /** RFC 7638 thumbprint, as in `cnf.jkt`. */
  readonly jkt: string
}

export const TEST_ISSUER = 'https://issuer.example.com'
export const TEST_RESOURCE = 'https://gate.example.com/photos'

/** A fresh key pair for `alg` (ES256, ES384, ES512, RS256 and family, PS256 and family, EdDSA, Ed25519). */
export function makeKey(alg = 'ES256', kid: string = randomUUID()): TestKey {
  const { privateKey, publicKey } = generate(alg)
  const bare = publicKey.export({ format: 'jwk' }) as JWK
  return { kid, alg, privateKey, publicKey, publicJwk: { ...bare, kid, alg, use: 'sig' }, jkt: thumbprint(bare) }
}

function generate(alg: string): { privateKey: KeyObject; publicKey: KeyObject } {
  if (alg.startsWith('Ed')) return generateKeyPairSync('ed25519')
  if (alg.startsWith('ES'))
    return generateKeyPairSync('ec', { namedCurve: `P-${alg === 'ES512' ? '521' : alg.slice(2)}` })
  return generateKeyPairSync('rsa', { modulusLength: 2048 })
}

function thumbprint({ crv, e, kty, n, x, y }: JWK): string {
  // JSON.stringify leaves out what is undefined, and these stand in the order of RFC 7638 §3.3.
  return createHash('sha256').update(JSON.stringify({ crv, e, kty, n, x, y })).digest('base64url')
}

export interface MintOptions {
  /** Over the good header; undefined leaves a member out. */
  readonly header?: Readonly<Record<string, unknown>>
  /** Over the good claims; undefined leaves a claim out. */
  readonly claims?: Readonly<Record<string, unknown>>
  /** NumericDate, seconds. `iat` is this, `exp` five minutes later. */
  readonly now?: number
}

/** An RFC 9068 access token that is good in every respect but for what the options say. */
export function mintToken(
  key: TestKey,
  { header, claims, now = Math.floor(Date.now() / 1000) }: MintOptions = {},
): string {
  const goodClaims = {
    iss: TEST_ISSUER,
    sub: 'sub-alice',
    aud: TEST_RESOURCE,
    exp: now + 300,
    iat: now,
    jti: randomUUID(),
    client_id: 'cli',
    scope: 'photos:read',
    username: 'alice',
    groups: ['photos'],
  }
  const fullHeader = { alg: key.alg, typ: 'at+jwt', kid: key.kid, ...header }
  return signJws(key, JSON.stringify(fullHeader), JSON.stringify({ ...goodClaims, ...claims }))
}

export interface ProofOptions extends MintOptions {
  readonly method?: string
  readonly url?: string
  /** The access token that `ath` is made of. */
  readonly token?: string
}

/** A DPoP proof (RFC 9449 §4.2) that is good in every respect but for what the options say. */
export function mintProof(key: TestKey, options: ProofOptions = {}): string {
  const {
    header,
    claims,
    now = Math.floor(Date.now() / 1000),
    method = 'GET',
    url = TEST_RESOURCE,
    token = '',
  } = options
  const { kid, alg, use, ...jwk } = key.publicJwk
  const ath = createHash('sha256').update(token).digest('base64url')
  const goodClaims = { htm: method, htu: url, iat: now, jti: randomUUID(), ath }
  const fullHeader = { alg: key.alg, typ: 'dpop+jwt', jwk, ...header }
  return signJws(key, JSON.stringify(fullHeader), JSON.stringify({ ...goodClaims, ...claims }))
}

/** A compact JWS over exactly these texts, which need not be JSON; signed as the key's own `alg` says. */
export function signJws(key: TestKey, header: string, payload: string): string {
  const input = `${encodePart(header)}.${encodePart(payload)}`
  return `${input}.${signatureOf(key, input).toString('base64url')}`
}

export function encodePart(text: string | Uint8Array): string {
  return Buffer.from(text).toString('base64url')
}

function signatureOf({ alg, privateKey: key }: TestKey, input: string): Buffer {
  const bytes = Buffer.from(input)
  if (alg.startsWith('Ed')) return sign(null, bytes, key)
  const hash = `sha${alg.slice(2)}`
  if (alg.startsWith('ES')) return sign(hash, bytes, { key, dsaEncoding: 'ieee-p1363' })
  if (alg.startsWith('RS')) return sign(hash, bytes, key)
  return sign(hash, bytes, { key, padding: 6, saltLength: -1 })
}
