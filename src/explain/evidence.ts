import type { Config } from '../config/config.ts'
import { RevocationTable } from '../core/revocation.ts'
import { clockToleranceSeconds, type Evidence } from '../core/token.ts'
import type { RouteMatch } from '../gateway/judge.ts'
import { mayHoldAnything, openStore } from '../server/open-store.ts'
import { trustedIssuers } from '../server/trusted-issuers.ts'
import { claimAt, readClaims } from '../token/access-token.ts'
import type { PublishedKey, VerifierIssuer } from '../token/trusted-issuer.ts'
import { createVerifier, type Verifier } from '../token/verifier.ts'

// A store without revocations and keys yet: nothing was signed, so nothing is good.
const NO_KEYS: readonly PublishedKey[] = []

/**
 * A verifier as the running server has it: own keys and revocations are read from the store, foreign keys are fetched. Rejects with
 * StoreError when a store is there but can't be read.
 */
export async function explainingVerifier(config: Config, now: number): Promise<Verifier> {
  const table = new RevocationTable()
  const keys = await ownKeys(config, table, now)
  return createVerifier({
    startedAt: 0,
    issuers: trustedIssuers(config, { publicKeys: () => keys }),
    isRevoked: (token) => table.isRevoked(token),
    embeddedUnavailable: () => undefined,
    onKeyEvent: () => undefined,
  })
}

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

async function ownKeys(config: Config, table: RevocationTable, now: number): Promise<readonly PublishedKey[]> {
  if (config.issuer.kind !== 'embedded') return NO_KEYS
  // A server that never ran has signed nothing; what a request without a token gets can be said all the same.
  if (!mayHoldAnything(config)) return NO_KEYS
  const store = await openStore(config, { create: false })
  try {
    table.add(await store.revocations(0, now))
    return (await store.signingKeys()).map((key) => key.publicJwk)
  } finally {
    await store.close()
  }
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
