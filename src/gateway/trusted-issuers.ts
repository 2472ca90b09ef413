import type { Config } from '../config/config.ts'
import { OWN_ACR } from '../core/levels.ts'
import { clockToleranceSeconds } from '../core/token.ts'
import type { PublishedKey, VerifierIssuer } from '../token/trusted-issuer.ts'

/** Where the keys of our own issuer come from: this process, or the audgate that it follows. */
interface OwnKeys {
  readonly publicKeys: () => readonly PublishedKey[]
}

const OWN_CLAIMS = { groups: 'groups', username: 'username', scope: 'scope', client: 'client_id' }
const OWN_ALGORITHMS = ['ES256', 'RS256', 'EdDSA', 'Ed25519']

/**
 * Whose tokens are trusted by this file: `trusted_issuers`, and the embedded issuer or the audgate that stands for it.
 * @param own Undefined when this process holds no issuer.
 */
export function trustedIssuers(config: Config, own: OwnKeys | undefined): readonly VerifierIssuer[] {
  const foreign = config.trustedIssuers.map((issuer) => ({
    ...issuer,
    embedded: false,
    toleranceSeconds: clockToleranceSeconds(false),
  }))
  const ours = ownIssuer(config, own)
  return ours === undefined ? foreign : [ours, ...foreign]
}

function ownIssuer(config: Config, own: OwnKeys | undefined): VerifierIssuer | undefined {
  const shared = {
    issuer: config.publicUrl,
    embedded: true,
    algorithms: OWN_ALGORITHMS,
    tokenTypes: ['at+jwt'] as const,
    claims: OWN_CLAIMS,
    acr: OWN_ACR,
    toleranceSeconds: clockToleranceSeconds(true),
  }
  switch (config.issuer.kind) {
    case 'off':
      return undefined
    case 'upstream':
      return {
        ...shared,
        keys: { kind: 'upstream', uris: config.issuer.upstreams.map((origin) => `${origin}/oauth/jwks`) },
      }
    case 'embedded':
      return own === undefined ? undefined : { ...shared, keys: { kind: 'static', jwks: own.publicKeys } }
  }
}
