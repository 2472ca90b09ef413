import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose'
import { type SigningKeyRecord, type Store, StoreError } from '../../store/store.ts'
import { seal, unseal } from './sealing.ts'

/** What the issuer can sign with (RFC 7518 §3.1, RFC 8037). */
export type SigningAlg = SigningKeyRecord['alg']

interface SigningKeyOptions {
  readonly store: Store
  readonly masterKey: Buffer
  /** Milliseconds. */
  readonly now: () => number
  readonly alg: SigningAlg
  /** The longest life of anything signed now; a key is kept for the longest that it ever signed for, after it last did. */
  readonly tokenSeconds: number
  /** How long a new key is published before it signs: the key set's max-age and a margin. Default 90. */
  readonly publishSeconds?: number
}

export interface SigningKeys {
  /** Reads the keys, makes the first one, and lets those whose time has come begin or end. True: they have changed. */
  tick(): Promise<boolean>
  /** All keys in force, pending and retiring ones included (RFC 7517). */
  publicJwks(): readonly JWK[]
  /** The same with their private parts, the one that signs first. */
  privateJwks(): readonly JWK[]
  /** Publishes a new key, which begins to sign later; answers the pending one when there is one already. */
  rotate(): Promise<SigningKeyRecord>
}

const PUBLISH_SECONDS = 90
/** Processes look at different moments, so an old key may sign a little longer than planned. */
const LATE_SECONDS = 120

/** Signing keys, made at first start and kept in the store with their private parts sealed. Call `tick` before the rest. */
export function createSigningKeys(options: SigningKeyOptions): SigningKeys {
  const { store, alg } = options
  let records: readonly SigningKeyRecord[] = []
  let privates: readonly JWK[] = []
  const seconds = (): number => Math.floor(options.now() / 1000)
  return {
    tick: async () => {
      const before = fingerprint(records)
      let stored = await store.signingKeys()
      if (!stored.some((key) => key.alg === alg && key.state === 'active')) {
        await store.addSigningKey(await makeKey(options, 'active', seconds(), seconds()))
        stored = await store.signingKeys()
      }
      const next = advance(stored, alg, seconds(), options.tokenSeconds)
      if (next.changed.length + next.dropped.length > 0) await store.putSigningKeys(next.changed, next.dropped)
      if (fingerprint(next.keys) === before) return false
      privates = next.keys.map((key) => privateJwk(options.masterKey, key))
      records = next.keys
      return true
    },
    publicJwks: () => records.map(publicJwk),
    privateJwks: () => privates,
    rotate: async () => {
      // A key that is sealed with another secret than the rest would stop the issuer at its next look.
      for (const key of await store.signingKeys()) privateJwk(options.masterKey, key)
      const activateAt = seconds() + (options.publishSeconds ?? PUBLISH_SECONDS)
      const made = await makeKey(options, 'pending', seconds(), activateAt)
      if (await store.addSigningKey(made)) return made
      return (await store.signingKeys()).find((key) => key.alg === alg && key.state === 'pending') ?? made
    },
  }
}

interface Advanced {
  /** The signing one first. */
  readonly keys: readonly SigningKeyRecord[]
  readonly changed: readonly SigningKeyRecord[]
  readonly dropped: readonly string[]
}

/** What becomes of the keys at `now`. The same in every process that looks at the same rows, so all may write it. */
function advance(stored: readonly SigningKeyRecord[], alg: SigningAlg, now: number, tokenSeconds: number): Advanced {
  const [signer] = stored
    .filter((key) => key.alg === alg && (key.state === 'active' || (key.state === 'pending' && key.activateAt <= now)))
    .sort((one, other) => other.activateAt - one.activateAt)
  const signsSince = signer?.activateAt ?? now
  const moved = stored.map((key): SigningKeyRecord => {
    if (key === signer) return signing(key, tokenSeconds)
    if (key.state === 'retiring' || (key.state === 'pending' && key.alg === alg && key.activateAt > now)) return key
    // Another algorithm is configured since a moment that nobody wrote down: at the latest now.
    const until = (key.alg === alg ? signsSince : now) + key.tokenSeconds + LATE_SECONDS
    return { ...key, state: 'retiring', retireAt: until }
  })
  const over = (key: SigningKeyRecord): boolean => key.retireAt !== undefined && key.retireAt <= now
  const kept = moved.filter((key) => !over(key))
  return {
    keys: kept.sort((one, other) => rank(one) - rank(other)),
    changed: kept.filter((key) => !stored.includes(key)),
    dropped: moved.filter(over).map((key) => key.kid),
  }
}

/** It signs from now on, for tokens of this life. */
function signing(key: SigningKeyRecord, tokenSeconds: number): SigningKeyRecord {
  if (key.state === 'active' && key.tokenSeconds >= tokenSeconds) return key
  return { ...key, state: 'active', tokenSeconds: Math.max(key.tokenSeconds, tokenSeconds) }
}

function rank(key: SigningKeyRecord): number {
  return ['active', 'pending', 'retiring'].indexOf(key.state)
}

async function makeKey(
  options: SigningKeyOptions,
  state: 'active' | 'pending',
  createdAt: number,
  activateAt: number,
): Promise<SigningKeyRecord> {
  const { alg, masterKey } = options
  const pair = await generateKeyPair(alg, { extractable: true })
  const bare = await exportJWK(pair.publicKey)
  const kid = await calculateJwkThumbprint(bare)
  const named = { kid, alg, use: 'sig' }
  const sealed = seal(
    masterKey,
    `signing key ${kid}`,
    JSON.stringify({ ...(await exportJWK(pair.privateKey)), ...named }),
  )
  return {
    kid,
    alg,
    state,
    publicJwk: { ...bare, ...named },
    sealedPrivateJwk: sealed,
    createdAt,
    activateAt,
    retireAt: undefined,
    tokenSeconds: options.tokenSeconds,
  }
}

function privateJwk(masterKey: Buffer, key: SigningKeyRecord): JWK {
  const opened = unseal(masterKey, `signing key ${key.kid}`, key.sealedPrivateJwk)
  if (opened === undefined) {
    throw new StoreError(
      'the signing keys were sealed with another secret',
      'set AUDGATE_SECRET (or the key file beside the store) to what it was when the store was made',
    )
  }
  const jwk: JWK = JSON.parse(opened)
  return jwk
}

function publicJwk(key: SigningKeyRecord): JWK {
  const jwk: JWK = { ...key.publicJwk }
  return jwk
}

/** Tells one set of keys from another, order and states included. */
function fingerprint(keys: readonly SigningKeyRecord[]): string {
  return keys.map((key) => `${key.kid} ${key.state}`).join('\n')
}
