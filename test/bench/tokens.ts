import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { writeFileSync } from 'node:fs'

export const ISSUER = 'http://127.0.0.1:1/issuer'
export const RESOURCE = 'http://localhost/bench'
export const SCOPE = 'bench:read'

/** What signs the run's tokens; ES512 takes a verifier a good many times as long as ES256. */
export type Algorithm = 'ES256' | 'ES512'

const CURVES = { ES256: 'P-256', ES512: 'P-521' } as const
const HASHES = { ES256: 'sha256', ES512: 'sha512' } as const

export interface Minter {
  readonly algorithm: Algorithm
  /** Path of the public key as PEM, and of a JWKS with it. */
  readonly pemFile: string
  readonly jwksFile: string
  /** Writes `count` distinct access tokens (RFC 9068), one a line; answers them. */
  mint(file: string, count: number): readonly string[]
}

/** A key pair of the run's own; tokens live for an hour. */
export function createMinter(folder: string, algorithm: Algorithm = 'ES256'): Minter {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: CURVES[algorithm] })
  const pemFile = `${folder}/issuer-${algorithm}.pem`
  const jwksFile = `${folder}/jwks-${algorithm}.json`
  writeFileSync(pemFile, publicKey.export({ type: 'spki', format: 'pem' }))
  const jwk = { ...createPublicKey(privateKey).export({ format: 'jwk' }), kid: 'bench', alg: algorithm, use: 'sig' }
  writeFileSync(jwksFile, JSON.stringify({ keys: [jwk] }))
  let serial = 0
  return {
    algorithm,
    pemFile,
    jwksFile,
    mint: (file, count) => {
      const tokens = Array.from({ length: count }, (_, i) => token(privateKey, algorithm, serial + i))
      serial += count
      writeFileSync(file, `${tokens.join('\n')}\n`)
      return tokens
    },
  }
}

function token(key: KeyObject, alg: Algorithm, serial: number): string {
  const now = Math.floor(Date.now() / 1_000)
  const head = encode({ alg, typ: 'at+jwt', kid: 'bench' })
  const body = encode({
    iss: ISSUER,
    sub: `person-${serial}`,
    aud: RESOURCE,
    exp: now + 3_600,
    iat: now - 1,
    jti: `bench-${serial}-${now}`,
    client_id: 'bench',
    scope: SCOPE,
    username: `person-${serial}`,
    groups: ['photos', 'files'],
  })
  const signature = sign(HASHES[alg], Buffer.from(`${head}.${body}`), { key, dsaEncoding: 'ieee-p1363' })
  return `${head}.${body}.${signature.toString('base64url')}`
}

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
