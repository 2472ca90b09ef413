import { type Evidence, sealVerifiedToken, type VerifiedToken } from '../../core/token.ts'
import type { AdminDependencies, Holder, Judged, JudgedCheck } from '../dependencies.ts'
import type { Decision, Proof, TokenFacts } from './decision.ts'

const TOKEN_SECONDS = 300

/** A check that was made; the last one of a refusal carries its reason. */
interface MadeCheck extends JudgedCheck {
  readonly reason?: string
}

/** The checks of a decision, by the functions that decide. What they no longer say of it is told by its reason alone. */
export async function checksOf({ judge }: AdminDependencies, decision: Decision): Promise<readonly MadeCheck[]> {
  const judged = await judgeAgain(judge, decision, evidenceOf(decision.proof), decision.at / 1_000)
  const { reason, detail = '' } = decision
  if (reason === undefined) return judged?.checks ?? []
  const deciding = { name: 'decision', good: false, expected: 'what lets it through', got: detail, reason }
  if (judged === undefined || judged.reason !== reason) return [deciding]
  return judged.checks.map((check) => (check.good ? check : { ...check, reason }))
}

/** What the same request would get now, with a new token of the same person and client that holds all that they would get. */
export async function passesNow(
  dependencies: AdminDependencies,
  decision: Decision,
): Promise<{ readonly outcome: string; readonly reason: string | undefined }> {
  const { judge, now } = dependencies
  const seconds = now() / 1_000
  const { proof } = decision
  const facts = factsOf(proof)
  const evidence = facts === undefined ? evidenceOf(proof) : await newTokenOf(dependencies, decision, facts)
  const judged = await judgeAgain(judge, decision, evidence, seconds)
  return { outcome: judged?.outcome ?? 'refused', reason: judged?.reason }
}

/** The token of somebody who may get a new one; undefined where nobody is known. */
function factsOf(proof: Proof): TokenFacts | undefined {
  if (proof.kind === 'none') return undefined
  return proof.kind === 'token' ? proof.token : proof.of
}

/** Evidence in words of the one that was kept. */
function evidenceOf(proof: Proof): Evidence {
  if (proof.kind === 'none') return { kind: 'none' }
  return proof.kind === 'fault' ? proof.evidence : { kind: 'verified', token: tokenOf(proof.token) }
}

export function tokenOf(facts: TokenFacts): VerifiedToken {
  return sealVerifiedToken({ ...facts, scope: new Set(facts.scope), jkt: undefined, claims: {} })
}

function judgeAgain(
  judge: AdminDependencies['judge'],
  { method, host, path, address }: Decision,
  evidence: Evidence,
  now: number,
): Promise<Judged | undefined> {
  if (host === undefined || path === undefined) return Promise.resolve(undefined)
  return judge.judge({ method, url: `http://${host}${path}`, address }, evidence, now)
}

async function newTokenOf(
  { store, view, issuer, now }: AdminDependencies,
  decision: Decision,
  facts: TokenFacts,
): Promise<Evidence> {
  const seconds = Math.floor(now() / 1_000)
  const times = { issuedAt: seconds, expiresAt: seconds + TOKEN_SECONDS, jti: undefined, gid: undefined }
  if (!facts.embedded) return { kind: 'verified', token: tokenOf({ ...facts, ...times }) }
  const holder = await holderOf(store, facts)
  if (typeof holder === 'string') return { kind: 'rejected', fault: 'revoked', detail: holder }
  const resource = decision.resource ?? facts.audience[0] ?? ''
  const given = issuer.preview(holder, resource, []).given
  const groups = holder.kind === 'person' ? holder.groups : []
  const token = { ...facts, ...times, issuer: view().publicUrl, audience: [resource], scope: given, groups }
  return { kind: 'verified', token: tokenOf(token) }
}

/** Who would get a token now, or why nobody would. */
async function holderOf(store: AdminDependencies['store'], facts: TokenFacts): Promise<Holder | string> {
  const client = await store.client(facts.clientId)
  if (client?.revoked === true) return 'the client has been revoked'
  if (facts.username === undefined)
    return client === undefined ? 'there is no such client' : { kind: 'service', allow: client.allow }
  const user = await store.userBySub(facts.subject)
  if (user === undefined || user.disabled) return 'the account is disabled or gone'
  return { kind: 'person', groups: user.groups }
}
