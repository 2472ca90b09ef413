import type { PublishedKey } from './verifier-issuer.ts'

/** What one try to get an issuer's keys brought. */
export type LoadedKeys =
  | { readonly kind: 'keys'; readonly jwks: readonly PublishedKey[]; readonly refreshSeconds: number }
  | { readonly kind: 'unchanged'; readonly refreshSeconds: number }

/** Gets an issuer's keys from where they are published. */
export interface KeyLoader {
  /** Rejects with {@link KeyLoadError}. */
  load(signal: AbortSignal): Promise<LoadedKeys>
  /** The longest wait after failures. */
  readonly maxRetrySeconds: number
}

/** Keys could not be had; the message is a clause for the log that says why. */
export class KeyLoadError extends Error {}

/** Keys of a set beyond this are not looked at. */
const MAX_KEYS = 100

/** The members of a JWK Set (RFC 7517 §5), not yet judged one by one. */
export function keysOf(text: string, source: string): readonly PublishedKey[] {
  const keys: unknown = parse(text, source)?.keys
  if (!Array.isArray(keys)) throw new KeyLoadError(`${source} is no JSON Web Key Set: it has no list named keys`)
  return keys.slice(0, MAX_KEYS).filter((key) => typeof key === 'object' && key !== null)
}

/** A JSON object; undefined for other JSON. */
export function parse(text: string, source: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : undefined
  } catch (cause) {
    throw new KeyLoadError(`${source} is not JSON`, { cause })
  }
}
