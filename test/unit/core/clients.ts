import { parseTrustedPeers, type ResolvedClient, resolveClient } from '../../../src/core/headers/forwarded.ts'

/** A client at 192.0.2.7 that speaks TLS to `gate.example.com:8443`. */
export function clientOf(
  rawHeaders: readonly string[] = [],
  trusted: readonly string[] = [],
  hostHeader = 'gate.example.com:8443',
): ResolvedClient {
  return resolveClient({
    peerAddress: '192.0.2.7',
    tls: true,
    hostHeader,
    rawHeaders,
    trusted: parseTrustedPeers(trusted),
  })
}
