import { extractCredential } from '../core/credential.ts'
import type { Evidence } from '../core/token.ts'
import type { Verifier } from '../token/verifier.ts'
import type { Asked } from './asked.ts'
import type { RouteMatch } from './judge.ts'

const NONE: Evidence = { kind: 'none' }

/**
 * What the request's credential proves; at once when the token is known already. Does NOT judge audience or scope.
 * @param now NumericDate, seconds.
 */
export function gatherEvidence(
  verifier: Verifier,
  match: RouteMatch,
  asked: Asked,
  now: number,
): Evidence | Promise<Evidence> {
  const credential = extractCredential(asked.rawHeaders)
  switch (credential.kind) {
    case 'none':
      return NONE
    case 'malformed':
      return credential
    case 'bearer':
      return verifier.verify({ scheme: 'bearer', token: credential.token }, now)
    case 'dpop': {
      const { token, proof } = credential
      return verifier.verify({ scheme: 'dpop', token, proof, method: asked.method, url: proofUrl(match) }, now)
    }
  }
}

/** The URL that a DPoP proof has to name (RFC 9449 §4.3, `htu`): as the client sees it, without the query. */
function proofUrl({ client, target }: RouteMatch): string {
  return `${client.protocol}://${client.host}${target.path}`
}
