import { createSecureContext, getCACertificates, type SecureContext, setDefaultCACertificates } from 'node:tls'
import type { UpstreamTls } from '../core/route.ts'

const roots = { trusted: false }

/**
 * Trusts the system's certificates beside node's own and NODE_EXTRA_CA_CERTS, for every outgoing TLS connection of this process that names no roots
 * of its own: private authorities are installed there. SSL_CERT_FILE and SSL_CERT_DIR say where the system's are. Reads them once.
 */
export function trustSystemRoots(): void {
  if (roots.trusted) return
  roots.trusted = true
  setDefaultCACertificates([...new Set([...getCACertificates('default'), ...getCACertificates('system')])])
}

/** What the certificate of an https upstream is checked against. Throws for a `ca` that is no PEM. */
export function secureContextFor(tls: UpstreamTls | undefined): SecureContext {
  if (tls?.ca !== undefined) return createSecureContext({ ca: tls.ca })
  trustSystemRoots()
  return createSecureContext()
}
