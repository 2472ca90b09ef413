import { randomBytes } from 'node:crypto'
import type { Denial, Reason } from '../core/denial.ts'
import { traceparentOf } from '../core/headers/traceparent.ts'
import { maskTicket } from '../core/paths/ticket-url.ts'
import { basicUser } from '../core/presented.ts'
import type { Route } from '../core/route.ts'
import type { Evidence, VerifiedToken } from '../core/token.ts'
import type { Log } from '../observe/log.ts'
import type { Metrics, Outcome } from '../observe/metrics.ts'
import type { Routing } from './judge.ts'
import type { RequestHead } from './request-head.ts'

// A random start for this process and a count: as unique as random ids, for a fraction of their cost.
const ids = { start: randomBytes(9).toString('base64url'), count: 0 }

function nextId(): string {
  ids.count += 1
  return `${ids.start}-${ids.count.toString(36)}`
}

/** What a request was judged by: log field and metric label. */
type CredentialLabel = 'bearer' | 'dpop' | 'session' | 'app_password' | 'ticket' | 'none'

/** What is taken down of a request's head. */
type Recorded = Pick<RequestHead, 'method' | 'rawHeaders'>

/** What stands for the head of what is no request. */
export const NO_HEAD: Recorded = { method: '', rawHeaders: [] }

/** What is known of one request so far; it becomes one log line. Times are milliseconds of `performance.now()`. */
export class RequestRecord {
  readonly id: string
  readonly method: string
  readonly startedAt: number
  host: string | undefined
  path: string | undefined
  address: string | undefined
  route: Route | undefined
  /** Stands for the route where none is asked: the issuer's paths, resource metadata. */
  place: '(issuer)' | '(browser)' | '(metadata)' | '(none)' = '(none)'
  token: VerifiedToken | undefined
  /** Its field lines: names and values in turn. */
  readonly rawHeaders: readonly string[]
  /** What it was judged by. */
  credential: CredentialLabel = 'none'
  /** Whether that was sent on purpose, in a header or a URL, or came along by itself. */
  shown: 'nothing' | 'session' | 'sent' = 'nothing'
  /** Somebody signed in to the session a moment ago. */
  isYoung = false
  /** Why an endpoint of the gateway's own refused. */
  reason: Reason | undefined
  /** The answer in place of a refusal: too many were tried. */
  throttled: Denial | undefined
  /** What a credential proved that is no good token. */
  evidence: Evidence | undefined
  decidedAt: number | undefined
  status: number | undefined
  detail: string | undefined
  /** What was wrong with the upstream, for the operator alone. */
  cause: string | undefined
  ended = false
  /** Counted among those that are in flight. Belongs to the {@link Recorder}. */
  running = true

  constructor({ method, rawHeaders }: Recorded, requestId: string | undefined) {
    this.id = requestId ?? nextId()
    this.method = method
    this.rawHeaders = rawHeaders
    this.startedAt = performance.now()
  }

  /** Where it leads and who sends it. */
  note(routing: Routing): void {
    this.address = routing.client.address
    this.host = routing.client.host
    if (routing.target !== undefined) this.path = maskTicket(routing.target.path)
    this.route = routing.kind === 'route' ? routing.route : undefined
    if (routing.kind === 'reserved') this.place = '(issuer)'
  }

  refused({ status, description }: Denial): void {
    this.status = status
    this.detail = description
    this.decidedAt ??= performance.now()
  }
}

export interface Ending {
  readonly outcome: Outcome
  readonly reason: Reason | undefined
  readonly bytesIn: number
  readonly bytesOut: number
  /** Milliseconds from the decision to the upstream's first byte. */
  readonly upstreamMs?: number | undefined
}

/** What the issuer is told of requests. */
export interface RequestNotes {
  /** An authorization was used. @param now NumericDate, seconds. */
  readonly noteUse: (gid: string, now: number) => void
  /** A token was refused because of the sign-in behind it. */
  readonly noteWeakSignIn: (denied: Denial, token: VerifiedToken | undefined) => void
}

/** Requests that are being answered, and what becomes of them in log and metrics. */
export interface Recorder {
  readonly inFlight: number
  begin(head: Recorded, requestId: string | undefined): RequestRecord
  /** Once per record; a second call is passed over. */
  end(record: RequestRecord, ending: Ending): void
  /** It has become a tunnel: no longer in flight, though it has not ended. */
  release(record: RequestRecord): void
  /** Calls back when nothing is in flight any more: at once when that is so already. */
  whenIdle(callback: () => void): void
  setAccessLog(kind: AccessLog): void
}

/** Takes down what requests came to. */
export interface Witness {
  /** Whether it wants requests that passed, too. */
  readonly passes: boolean
  saw(record: RequestRecord, ending: Ending, totalMs: number): void
}

type AccessLog = 'all' | 'refused' | 'off'

export function createRecorder(log: Log, metrics: Metrics, accessLog: AccessLog, witness?: Witness): Recorder {
  const waiting: (() => void)[] = []
  const state = { accessLog, running: 0 }
  const release = (record: RequestRecord): void => {
    if (!record.running) return
    record.running = false
    state.running -= 1
    if (state.running === 0) for (const callback of waiting.splice(0)) callback()
  }
  return {
    get inFlight() {
      return state.running
    },
    begin: (head, requestId) => {
      const record = new RequestRecord(head, requestId)
      state.running += 1
      return record
    },
    end: (record, ending) => {
      if (record.ended) return
      record.ended = true
      const totalMs = performance.now() - record.startedAt
      count(metrics, record, ending, totalMs)
      if (isLogged(state.accessLog, ending.outcome)) log.request(lineOf(record, ending, totalMs))
      if (witness !== undefined && (witness.passes || isLogged('refused', ending.outcome)))
        witness.saw(record, ending, totalMs)
      release(record)
    },
    release,
    whenIdle: (callback) => {
      if (state.running === 0) callback()
      else waiting.push(callback)
    },
    setAccessLog: (kind) => {
      state.accessLog = kind
    },
  }
}

function isLogged(accessLog: AccessLog, outcome: Outcome): boolean {
  return accessLog === 'all' || (accessLog === 'refused' && (outcome === 'refused' || outcome === 'failed'))
}

function count(metrics: Metrics, record: RequestRecord, ending: Ending, totalMs: number): void {
  const route = record.route?.id ?? record.place
  metrics.request(route, ending.outcome, ending.reason, totalMs / 1_000)
  if (record.credential !== 'none') metrics.credential(route, record.credential, ending.outcome)
  if (record.decidedAt !== undefined) metrics.decision((record.decidedAt - record.startedAt) / 1_000)
  if (ending.upstreamMs !== undefined) metrics.upstream(ending.upstreamMs / 1_000)
  metrics.bytes(ending.bytesIn, ending.bytesOut)
}

/** Whose request it was: of a token that is good, or was. */
export function holderOf({ token, evidence }: Pick<RequestRecord, 'token' | 'evidence'>): VerifiedToken | undefined {
  return token ?? (evidence?.kind === 'rejected' ? evidence.of : undefined)
}

function lineOf(record: RequestRecord, ending: Ending, totalMs: number) {
  const { route, decidedAt } = record
  const holder = holderOf(record)
  return {
    request_id: record.id,
    traceparent: traceparentOf(record.rawHeaders),
    route: route?.id ?? record.place,
    resource: route?.access.kind === 'protected' ? route.access.resource.identifier : undefined,
    method: record.method,
    host: record.host,
    path: record.path,
    status: record.status,
    outcome: ending.outcome,
    reason: ending.reason,
    detail: record.detail,
    cause: record.cause,
    sub: holder?.subject,
    client: holder?.clientId,
    credential: record.credential,
    basic_user: record.credential === 'app_password' ? basicUser(record.rawHeaders) : undefined,
    address: record.address,
    decide_ms: decidedAt === undefined ? undefined : rounded(decidedAt - record.startedAt),
    upstream_ms: ending.upstreamMs === undefined ? undefined : rounded(ending.upstreamMs),
    total_ms: rounded(totalMs),
    bytes_in: ending.bytesIn,
    bytes_out: ending.bytesOut,
  }
}

/** Microseconds are as fine as it gets. */
function rounded(ms: number): number {
  return Math.round(ms * 1_000) / 1_000
}

/** What a bug has to say, for the log. */
export function faultText(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

/** The end of a request that was answered by its upstream. */
export function okEnding({
  bytesIn,
  bytesOut,
  firstByteMs,
}: Pick<Ending, 'bytesIn' | 'bytesOut'> & { readonly firstByteMs: number }): Ending {
  return { outcome: 'ok', reason: undefined, bytesIn, bytesOut, upstreamMs: firstByteMs }
}
