import type { Decision, Proof, TokenFacts } from '../../admin/decisions/decision.ts'
import type { Evidence, VerifiedToken } from '../../core/token.ts'
import { type Ending, holderOf, type RequestRecord, type Witness } from '../../gateway/request-log.ts'

const BATCH_MS = 250
/** Of one batch: strangers don't crowd out those who are known. */
const MOST_KNOWN = 400
const MOST_UNKNOWN = 400
/** Fifty a second, while somebody watches. */
const MOST_PASSES = 12
/** An `aud` or a group list of any length is no fact that helps. */
const MOST_LISTED = 64
const LONGEST_TEXT = 1_024

/** Takes down what requests came to and hands it on in batches; what a batch has no room for is not kept. */
export interface DecisionWitness extends Witness {
  /** Who takes the batches; none is empty. Without anybody they are forgotten. */
  handTo(receiver: (decisions: readonly Decision[]) => void): void
  watch(on: boolean): void
  close(): void
}

/** @param now Milliseconds since the epoch. */
export function createWitness(now: () => number): DecisionWitness {
  const receivers: ((decisions: readonly Decision[]) => void)[] = []
  const state = { passes: false, known: 0, unknown: 0, passed: 0 }
  const batch: Decision[] = []
  const timer = setInterval(() => {
    state.known = 0
    state.unknown = 0
    state.passed = 0
    const taken = batch.splice(0)
    if (taken.length > 0) for (const receive of receivers) receive(taken)
  }, BATCH_MS)
  timer.unref()
  const hasRoom = (record: RequestRecord, outcome: Ending['outcome']): boolean => {
    if (outcome === 'ok' || outcome === 'client_closed') return ++state.passed <= MOST_PASSES
    if (holderOf(record) !== undefined || outcome === 'failed') return ++state.known <= MOST_KNOWN
    return ++state.unknown <= MOST_UNKNOWN
  }
  return {
    get passes() {
      return state.passes
    },
    saw: (record, ending, totalMs) => {
      if (hasRoom(record, ending.outcome)) batch.push(decisionOf(record, ending, totalMs, now()))
    },
    handTo: (receiver) => void receivers.push(receiver),
    watch: (on) => {
      state.passes = on
    },
    close: () => clearInterval(timer),
  }
}

function decisionOf(record: RequestRecord, ending: Ending, totalMs: number, at: number): Decision {
  const { route, token } = record
  const holder = holderOf(record)
  return {
    requestId: clipped(record.id) ?? '',
    at,
    method: clipped(record.method) ?? '',
    host: clipped(record.host),
    path: clipped(record.path),
    route: route?.id ?? record.place,
    resource: route?.access.kind === 'protected' ? route.access.resource.identifier : undefined,
    status: record.status,
    outcome: ending.outcome,
    reason: ending.reason,
    detail: clipped(record.detail),
    cause: clipped(record.cause),
    sub: clipped(holder?.subject),
    username: clipped(holder?.username),
    client: clipped(holder?.clientId),
    address: record.address,
    decideMs: record.decidedAt === undefined ? undefined : rounded(record.decidedAt - record.startedAt),
    totalMs: rounded(totalMs),
    proof: proofOf(token, record.evidence),
  }
}

function proofOf(token: VerifiedToken | undefined, evidence: Evidence | undefined): Proof {
  if (token !== undefined) return { kind: 'token', token: factsOf(token) }
  if (evidence === undefined || evidence.kind === 'none' || evidence.kind === 'verified') return { kind: 'none' }
  if (evidence.kind !== 'rejected' || evidence.of === undefined) return { kind: 'fault', evidence }
  const { of, ...fault } = evidence
  return { kind: 'fault', evidence: fault, of: factsOf(of) }
}

function factsOf(token: VerifiedToken): TokenFacts {
  const { issuer, embedded, subject, clientId, expiresAt, issuedAt, jti, gid, username } = token
  const { level, authTime, acrMap } = token
  return {
    ...{ issuer, embedded, subject, clientId, expiresAt, issuedAt, jti, gid, username },
    ...{ level, authTime, acrMap },
    audience: token.audience.slice(0, MOST_LISTED),
    scope: [...token.scope].slice(0, MOST_LISTED),
    groups: token.groups.slice(0, MOST_LISTED),
  }
}

/** U+0000 ends texts in databases. */
function clipped(text: string | undefined): string | undefined {
  return text?.slice(0, LONGEST_TEXT).replaceAll('\0', '\ufffd')
}

/** Microseconds are as fine as it gets. */
function rounded(ms: number): number {
  return Math.round(ms * 1_000) / 1_000
}
