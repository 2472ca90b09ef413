import type { Config } from '../config/config.ts'
import { claimAt } from '../core/claim-path.ts'
import { clockToleranceSeconds, type Evidence } from '../core/token.ts'
import type { RouteMatch } from '../gateway/judge.ts'
import { trustedIssuers } from '../gateway/trusted-issuers.ts'
import { readClaims } from '../token/access-token.ts'
import type { PublishedKey, VerifierIssuer } from '../token/trusted-issuer.ts'

// What is explained needs no key.
const NO_KEYS: readonly PublishedKey[] = []

/**
 * Evidence as if a valid token said these claims. What a token must have and the claims leave out is filled in with what fits the route;
 * `aud` and `scope` are not: they are what is asked about.
 * @param now NumericDate, seconds.
 */
export function evidenceOf(
  claims: Readonly<Record<string, unknown>>,
  config: Config,
  match: RouteMatch,
  now: number,
): Evidence {
  const { access } = match.route
  if (access.kind === 'public') return { kind: 'none' }
  const name = typeof claims.iss === 'string' ? claims.iss : (access.resource.issuers[0] ?? '')
  const issuer = trustedIssuers(config, { publicKeys: () => NO_KEYS }).find((each) => each.issuer === name)
  if (issuer === undefined)
    return { kind: 'rejected', fault: 'untrusted_issuer', detail: `${name} is no trusted issuer` }
  const filled = {
    iss: name,
    sub: 'someone',
    exp: now + 300,
    iat: now,
    jti: 'none',
    ...(claimAt(claims, issuer.claims.client) === undefined ? { [issuer.claims.client]: 'some-client' } : {}),
    ...claims,
  }
  const read = readClaims(filled, issuer, issuer.tokenTypes[0] ?? 'at+jwt')
  if ('kind' in read) return read
  return timeFault(read.token.expiresAt, read.validFrom, issuer, now) ?? { kind: 'verified', token: read.token }
}

function timeFault(expiresAt: number, validFrom: number, issuer: VerifierIssuer, now: number): Evidence | undefined {
  const tolerance = clockToleranceSeconds(issuer.embedded)
  if (now >= expiresAt + tolerance) {
    return { kind: 'rejected', fault: 'expired', detail: `the token expired ${Math.ceil(now - expiresAt)} s ago` }
  }
  if (now + tolerance < validFrom) {
    const detail = `the token is not valid before ${Math.ceil(validFrom - now)} s from now`
    return { kind: 'rejected', fault: 'not_yet_valid', detail }
  }
  return undefined
}
