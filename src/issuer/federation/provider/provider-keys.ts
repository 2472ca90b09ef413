import { compactVerify, createLocalJWKSet, decodeJwt, errors, type JSONWebKeySet, type JWK } from 'jose'
import type { ProviderCalls } from './provider-calls.ts'
import { ProviderError } from './provider-fault.ts'
import { isIssuer, type ProviderMetadata, TENANT } from './provider-metadata.ts'

const FRESH_MS = 300_000
/** Whoever sends tokens with made-up key ids costs one fetch in this time. */
const PAUSE_MS = 30_000
const STALE_MS = 24 * 3_600_000

interface Kept {
  readonly keys: JSONWebKeySet
  readonly atMs: number
}

/** The keys that a provider signs with. */
export interface ProviderKeys {
  /**
   * Whether one of the provider's keys made the signature of a compact JWS. Claims are NOT judged, save that where the metadata stand for
   * every tenant, a key that is for one issuer signs for no other. Throws {@link ProviderError}: `invalid_token` when not, `silent`
   * when the keys can't be had.
   */
  verify(jws: string, metadata: ProviderMetadata): Promise<void>
}

/** Keys by `kid`, read anew when one is missing; the last known ones serve for a day. @param now milliseconds. */
export function createProviderKeys(calls: ProviderCalls, now: () => number): ProviderKeys {
  const state: { kept: Kept | undefined; triedAtMs: number; under: Promise<void> | undefined } = {
    kept: undefined,
    triedAtMs: Number.NEGATIVE_INFINITY,
    under: undefined,
  }
  const load = async (uri: string): Promise<void> => {
    state.triedAtMs = now()
    try {
      const answer = await calls.call('jwks', uri)
      state.kept = { keys: readKeys(answer.status === 200 ? answer.text : ''), atMs: now() }
    } catch (error) {
      if (state.kept === undefined || now() - state.kept.atMs > STALE_MS) throw error
    }
  }
  const refresh = (uri: string): Promise<void> => {
    state.under ??= load(uri).finally(() => {
      state.under = undefined
    })
    return state.under
  }
  const mayAsk = (): boolean => now() - state.triedAtMs >= PAUSE_MS || state.kept === undefined
  const age = (): number => (state.kept === undefined ? Number.POSITIVE_INFINITY : now() - state.kept.atMs)
  return {
    verify: async (jws, metadata) => {
      const uri = String(metadata.server.jwks_uri)
      if (age() > FRESH_MS && mayAsk()) await refresh(uri)
      if (age() > STALE_MS) throw new ProviderError({ kind: 'silent', detail: 'no keys of the last day are known' })
      const first = await check(jws, metadata, state.kept?.keys)
      if (first === 'good') return
      // A key that was replaced under its old name looks like a bad signature.
      if (mayAsk()) {
        await refresh(uri)
        if ((await check(jws, metadata, state.kept?.keys)) === 'good') return
      }
      throw new ProviderError({ kind: 'invalid_token', detail: first === 'bad' ? 'bad_signature' : 'unknown_key' })
    },
  }
}

async function check(
  jws: string,
  { algorithms, server }: ProviderMetadata,
  known: JSONWebKeySet = { keys: [] },
): Promise<'good' | 'bad' | 'unknown_key'> {
  const keys = server.issuer.includes(TENANT) ? keysFor(jws, known) : known
  try {
    await compactVerify(jws, createLocalJWKSet(keys), { algorithms: [...algorithms] })
    return 'good'
  } catch (error) {
    return error instanceof errors.JWKSNoMatchingKey ? 'unknown_key' : 'bad'
  }
}

/** Entra says of each of its keys for which issuer it signs: for one tenant, or with the tenant's place left open for all. */
function keysFor(jws: string, { keys }: JSONWebKeySet): JSONWebKeySet {
  const iss = issuerIn(jws)
  const fits = (key: JWK & { readonly issuer?: unknown }): boolean =>
    key.issuer === undefined || (typeof key.issuer === 'string' && isIssuer(key.issuer, iss))
  return { keys: keys.filter(fits) }
}

function issuerIn(jws: string): string {
  try {
    return decodeJwt(jws).iss ?? ''
  } catch {
    return ''
  }
}

function readKeys(text: string): JSONWebKeySet {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && 'keys' in value && Array.isArray(value.keys)) {
      return { keys: value.keys.filter((key) => typeof key === 'object' && key !== null && key.kty !== 'oct') }
    }
  } catch {}
  throw new ProviderError({ kind: 'silent', detail: 'jwks_uri does not answer with keys' })
}
