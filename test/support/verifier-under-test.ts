import assert from 'node:assert/strict'
import type { TokenFault } from '../../src/core/denial.ts'
import type { Evidence, VerifiedToken } from '../../src/core/token.ts'
import type { VerifierIssuer } from '../../src/token/trusted-issuer.ts'
import { createVerifier, type Verifier, type VerifierOptions } from '../../src/token/verifier.ts'
import { TEST_ISSUER, type TestKey } from './keys.ts'

/** NumericDate of every unit test: nothing depends on the day it runs. */
export const NOW = 1_800_000_000

/** A foreign issuer with these keys, RFC 9068 tokens and 60 s of tolerance, but for what `over` says. */
export function trusting(keys: readonly TestKey[], over: Partial<VerifierIssuer> = {}): VerifierIssuer {
  const jwks = keys.map((key) => key.publicJwk)
  return {
    issuer: TEST_ISSUER,
    embedded: false,
    keys: { kind: 'static', jwks: () => jwks },
    algorithms: [...new Set(keys.map((key) => key.alg))],
    tokenTypes: ['at+jwt'],
    claims: { groups: 'groups', username: 'username', scope: 'scope', client: 'client_id' },
    toleranceSeconds: 60,
    ...over,
  }
}

/** A verifier to which nothing is revoked and nothing is unknown, but for what `over` says. */
export function verifierOf(issuers: readonly VerifierIssuer[], over: Partial<VerifierOptions> = {}): Verifier {
  return createVerifier({
    startedAt: 0,
    issuers,
    revocations: revokedWhere(() => false),
    embeddedUnavailable: () => undefined,
    onKeyEvent: () => undefined,
    ...over,
  })
}

/** Revocations of which nothing is remembered: every request asks. */
export function revokedWhere(isRevoked: () => boolean): VerifierOptions['revocations'] {
  return {
    isRevoked,
    get state() {
      return {}
    },
  }
}

/** What becomes of a bearer token. */
export async function bearer(verifier: Verifier, token: string, now = NOW): Promise<Evidence> {
  return verifier.verify({ scheme: 'bearer', token }, now)
}

export function assertVerified(evidence: Evidence): VerifiedToken {
  assert.equal(evidence.kind, 'verified', JSON.stringify(evidence))
  return evidence.kind === 'verified' ? evidence.token : assert.fail()
}

export function assertRejected(evidence: Evidence, fault: TokenFault, detail?: RegExp): void {
  assert.equal(evidence.kind, 'rejected', `not rejected but ${JSON.stringify(evidence)}`)
  if (evidence.kind !== 'rejected') return
  assert.equal(evidence.fault, fault, evidence.detail)
  if (detail !== undefined) assert.match(evidence.detail, detail)
}
