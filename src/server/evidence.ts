import { extractCredential, readBearer } from '../core/credential.ts'
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
  if (asked.bearer !== undefined) return verifyBearer(verifier, asked.bearer, now)
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

/** What is no token of the grammar is never verified, so that only a refusal has to ask for it. */
function verifyBearer(verifier: Verifier, token: string, now: number): Evidence | Promise<Evidence> {
  const evidence = verifier.verify({ scheme: 'bearer', token }, now)
  if (evidence instanceof Promise || evidence.kind !== 'rejected' || evidence.fault !== 'malformed_token')
    return evidence
  const credential = readBearer(token)
  return credential.kind === 'malformed' ? credential : evidence
}

/** The URL that a DPoP proof has to name (RFC 9449 §4.3, `htu`): as the client sees it, without the query. */
function proofUrl({ client, target }: RouteMatch): string {
  return `${client.protocol}://${client.host}${target.path}`
}
