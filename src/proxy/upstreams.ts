import type { SecureContext } from 'node:tls'
import type { Upstream } from '../core/route.ts'
import { Deadlines } from './deadlines.ts'
import { secureContextFor } from './trusted-roots.ts'
import { type ConnectionOwner, UpstreamConnection } from './upstream-connection.ts'

/** Connections that may wait for a next request, each upstream. */
const MAX_IDLE = 256
/** How long an upstream that failed is left out: doubles with each failure in a row. */
const FIRST_DEAD_MS = 1_000
const LONGEST_DEAD_MS = 30_000
/** While one request finds out whether it lives again, others stay away this long. */
const PROBE_MS = 1_000

/** One upstream of a group: its idle connections, and whether it seems to live. */
export class UpstreamMember implements ConnectionOwner {
  readonly upstream: Upstream
  readonly #clock: () => number
  readonly #context: SecureContext | undefined
  readonly #onPooled: () => void
  /** The one used last is used first, so that the others may expire; those that rest come last. */
  readonly #idle: UpstreamConnection[] = []
  #failures = 0
  #failedAt = Number.NEGATIVE_INFINITY
  #deadUntil = Number.NEGATIVE_INFINITY
  #closed = false
  #answered = false
  /** Requests under way; kept by who has them. */
  active = 0
  /** Open connections, idle ones among them. */
  connections = 0

  constructor(upstream: Upstream, clock: () => number, context: SecureContext | undefined, onPooled: () => void) {
    this.upstream = upstream
    this.#clock = clock
    this.#context = context
    this.#onPooled = onPooled
  }

  get idleConnections(): number {
    return this.#idle.length
  }

  seemsAlive(now: number): boolean {
    return now >= this.#deadUntil
  }

  /** What was heard of it last; a time of being left out that is over makes nobody alive. */
  get heard(): 'up' | 'down' | 'unknown' {
    if (this.#failures > 0) return 'down'
    return this.#answered ? 'up' : 'unknown'
  }

  /** It was chosen after a time of being left out: one request at a time tries it. */
  beginProbe(now: number): void {
    if (this.#failures > 0) this.#deadUntil = Math.max(this.#deadUntil, now + PROBE_MS)
  }

  succeeded(): void {
    this.#answered = true
    if (this.#failures === 0) return
    this.#failures = 0
    this.#deadUntil = Number.NEGATIVE_INFINITY
  }

  /** A connection could not be had, or broke before an answer. Failures at about the same time count as one. */
  failed(): void {
    const now = this.#clock()
    if (now - this.#failedAt < FIRST_DEAD_MS / 2) return
    this.#failedAt = now
    this.#deadUntil = now + Math.min(LONGEST_DEAD_MS, FIRST_DEAD_MS * 2 ** Math.min(this.#failures, 16))
    this.#failures += 1
  }

  /** An idle connection that has been idle for less than `maxIdleMs`, or a new one. */
  acquire(maxIdleMs: number): UpstreamConnection {
    const newest = this.#idle.at(-1)
    const idleMs = newest === undefined ? 0 : this.#clock() - newest.idleSince
    if (newest !== undefined && idleMs >= newest.restMs && idleMs < Math.min(maxIdleMs, newest.idleLimitMs)) {
      this.#idle.pop()
      return newest
    }
    this.connections += 1
    return new UpstreamConnection(this, this.upstream, this.#context)
  }

  onIdle(connection: UpstreamConnection): void {
    if (this.#closed || this.#idle.length >= MAX_IDLE) {
      connection.destroy()
      return
    }
    connection.idleSince = this.#clock()
    // What has to rest goes to the far end, where it is the last to be asked for.
    if (connection.restMs > 0) this.#idle.unshift(connection)
    else this.#idle.push(connection)
    this.#onPooled()
  }

  onClosed(connection: UpstreamConnection): void {
    this.connections -= 1
    const at = this.#idle.lastIndexOf(connection)
    if (at !== -1) this.#idle.splice(at, 1)
  }

  /** Closes connections that were idle for too long. */
  sweep(now: number): void {
    for (const connection of [...this.#idle]) {
      if (now - connection.idleSince >= connection.idleLimitMs) this.#drop(connection)
    }
  }

  close(): void {
    this.#closed = true
    for (const connection of [...this.#idle]) this.#drop(connection)
  }

  #drop(connection: UpstreamConnection): void {
    const at = this.#idle.indexOf(connection)
    if (at !== -1) this.#idle.splice(at, 1)
    connection.destroy()
  }
}

/**
 * The upstreams of a route with their connections. Made once per route and configuration. How many connections there are is bounded by how
 * many requests the listener lets in: every request under way has one, and at most 256 of each upstream wait for more.
 */
export interface UpstreamGroup {
  readonly members: readonly UpstreamMember[]
  readonly deadlines: Deadlines
  /** Milliseconds, monotonic. */
  readonly clock: () => number
  /** The least busy of those that seem to live, in turn; of all when none does. */
  choose(): UpstreamMember
  /** Another one that seems to live; undefined when there is none. */
  chooseOther(than: readonly UpstreamMember[]): UpstreamMember | undefined
  /** Closes what is idle; what is in use closes when its request ends. */
  close(): void
}

/**
 * @param upstreams At least one.
 * @param clock Milliseconds, monotonic; default: the process' own.
 */
export function createUpstreamGroup(
  upstreams: readonly Upstream[],
  clock: () => number = () => performance.now(),
): UpstreamGroup {
  if (upstreams.length === 0) throw new RangeError('a group needs an upstream')
  const pooled = (): void => deadlines.run()
  const members = upstreams.map(
    (upstream) =>
      new UpstreamMember(
        upstream,
        clock,
        upstream.protocol === 'https:' ? secureContextFor(upstream.tls) : undefined,
        pooled,
      ),
  )
  const deadlines = new Deadlines(clock, (now) => sweep(members, now))
  const turn = { next: 0 }
  const pick = (candidates: readonly UpstreamMember[]): UpstreamMember | undefined => {
    const chosen = leastBusy(candidates, turn.next)
    if (chosen === undefined) return undefined
    turn.next = (turn.next + 1) % members.length
    chosen.beginProbe(clock())
    return chosen
  }
  const [only] = members
  return {
    members,
    deadlines,
    clock,
    choose: () => {
      if (members.length === 1 && only !== undefined) return only
      const now = clock()
      const chosen = pick(members.filter((member) => member.seemsAlive(now))) ?? pick(members)
      return chosen ?? unreachable()
    },
    chooseOther: (than) => {
      const now = clock()
      return pick(members.filter((member) => !than.includes(member) && member.seemsAlive(now)))
    },
    close: () => {
      for (const member of members) member.close()
    },
  }
}

/** True while some connection is idle. */
function sweep(members: readonly UpstreamMember[], now: number): boolean {
  let idle = 0
  for (const member of members) {
    member.sweep(now)
    idle += member.idleConnections
  }
  return idle > 0
}

/** Ties go to the next in turn. */
function leastBusy(members: readonly UpstreamMember[], turn: number): UpstreamMember | undefined {
  let least: UpstreamMember | undefined
  for (let i = 0; i < members.length; i++) {
    const member = members[(turn + i) % members.length]
    if (member !== undefined && (least === undefined || member.active < least.active)) least = member
  }
  return least
}

function unreachable(): never {
  throw new RangeError('a group needs an upstream')
}
