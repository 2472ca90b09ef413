import type { Dispatcher } from 'undici'
import { LEVELS } from '../core/levels.ts'
import { createStaticKeySet, FetchedKeySet, type KeyEvent, type KeySet } from './key-set.ts'
import { discoveredKeys, type KeyLoader, keyFile, keysAt, keysAtAny } from './key-source.ts'
import type { VerifierIssuer } from './trusted-issuer.ts'

/** An issuer in force. */
export interface TrustedSlot {
  readonly settings: VerifierIssuer
  readonly keys: KeySet
  /** Mapped claims that no token has had yet, and of which nothing was said. */
  readonly unseen: Set<keyof VerifierIssuer['claims']>
}

/** Issuers by `iss`. */
export type Trust = ReadonlyMap<string, TrustedSlot>

/**
 * Puts `issuers` in force in place of `before`. An issuer whose settings are the same keeps its slot, one with the same source of keys its
 * keys; the rest are let go. A slot that is another object is one whose settings changed. Throws when two issuers have one name: the keys
 * of one would sign for the other.
 */
export function retrust(
  before: Trust,
  issuers: readonly VerifierIssuer[],
  dispatcher: Dispatcher,
  onEvent: (event: KeyEvent) => void,
): Trust {
  const after = new Map<string, TrustedSlot>()
  for (const settings of issuers) {
    if (after.has(settings.issuer)) throw new Error(`two issuers are named ${settings.issuer}`)
    after.set(settings.issuer, slotFor(settings, before.get(settings.issuer), dispatcher, onEvent))
  }
  for (const [issuer, { keys }] of before) if (after.get(issuer)?.keys !== keys) keys.close()
  return after
}

function slotFor(
  settings: VerifierIssuer,
  before: TrustedSlot | undefined,
  dispatcher: Dispatcher,
  onEvent: (event: KeyEvent) => void,
): TrustedSlot {
  if (before === undefined || !isSameSource(before.settings, settings)) {
    return { settings, keys: keySetOf(settings, dispatcher, onEvent), unseen: new Set(OPTIONAL_CLAIMS) }
  }
  if (isSame(before.settings, settings)) return before
  return { settings, keys: before.keys, unseen: new Set(OPTIONAL_CLAIMS) }
}

/** Without the client a token is refused, which says enough. */
const OPTIONAL_CLAIMS = ['groups', 'username', 'scope'] as const

function keySetOf(settings: VerifierIssuer, dispatcher: Dispatcher, onEvent: (event: KeyEvent) => void): KeySet {
  if (settings.keys.kind === 'static') return createStaticKeySet(settings.keys.jwks)
  return new FetchedKeySet(settings.issuer, loaderOf(settings.issuer, settings.keys, dispatcher), onEvent)
}

function loaderOf(
  issuer: string,
  source: Exclude<VerifierIssuer['keys'], { kind: 'static' }>,
  dispatcher: Dispatcher,
): KeyLoader {
  switch (source.kind) {
    case 'discovery':
      return discoveredKeys(issuer, dispatcher, source.insecureHttp === true)
    case 'jwks_uri':
      return keysAt(source.uri, dispatcher, source.insecureHttp === true)
    case 'upstream':
      return keysAtAny(source.uris, dispatcher)
    case 'jwks_file':
      return keyFile(source.path)
  }
}

function isSameSource({ keys: one }: VerifierIssuer, { keys: other }: VerifierIssuer): boolean {
  if (one.kind === 'static' || other.kind === 'static') {
    return one.kind === 'static' && other.kind === 'static' && one.jwks === other.jwks
  }
  return JSON.stringify(one) === JSON.stringify(other)
}

function isSame({ keys, ...one }: VerifierIssuer, { keys: otherKeys, ...other }: VerifierIssuer): boolean {
  return JSON.stringify(canonical(one)) === JSON.stringify(canonical(other))
}

/** Only the values count, not the order in which they were written. */
function canonical({
  issuer,
  embedded,
  algorithms,
  tokenTypes,
  claims,
  acr,
  toleranceSeconds,
}: Omit<VerifierIssuer, 'keys'>) {
  const { groups, username, scope, client } = claims
  const levels = LEVELS.map((level) => acr?.[level] ?? null)
  return [issuer, embedded, algorithms, tokenTypes, groups, username, scope, client, levels, toleranceSeconds]
}
