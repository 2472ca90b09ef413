import type { Upstream } from '../core/route.ts'
import { Deadlines } from './deadlines.ts'
import { UpstreamMember } from './upstream-member.ts'
import { trustedContext } from './upstream-socket.ts'

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
 * @param clock Milliseconds, monotonic.
 */
export function createUpstreamGroup(upstreams: readonly Upstream[], clock: () => number): UpstreamGroup {
  if (upstreams.length === 0) throw new RangeError('a group needs an upstream')
  const context = upstreams.some(({ protocol }) => protocol === 'https:') ? trustedContext() : undefined
  const pooled = (): void => deadlines.run()
  const members = upstreams.map(
    (upstream) => new UpstreamMember(upstream, clock, upstream.protocol === 'https:' ? context : undefined, pooled),
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
