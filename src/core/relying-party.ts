import { parseAddress } from './address.ts'

/**
 * The RP ID of passkeys that are made at an origin: its host (WebAuthn §5.1.2). Undefined where browsers make none: at an address instead of a
 * name, and by plain http anywhere but on localhost.
 */
export function relyingPartyOf(origin: string): string | undefined {
  const { hostname, protocol } = new URL(origin)
  if (hostname.startsWith('[') || parseAddress(hostname) !== undefined) return undefined
  const isLocal = hostname === 'localhost' || hostname.endsWith('.localhost')
  return protocol === 'https:' || isLocal ? hostname : undefined
}
