import { setTimeout as delay } from 'node:timers/promises'
import { faultOf } from '../context.ts'
import type { Asking } from './asking.ts'
import type { FederationParts } from './federation-parts.ts'

/** Between two looks for people whose provider is to be asked. */
const LOOK_MS = 5_000
/** How old a provider's word may be for somebody with a browser session or an open tunnel. */
const RHYTHM_MS = 15 * 60_000
/** An open tunnel is noted as a use every minute. */
const USED_SECONDS = 180
/** Ten a second, whatever waits. */
const PACE_MS = 100
/** As many as a provider is called at once. */
const AT_ONCE = 8
const BATCH = 500

export interface Background {
  /** Looks at once, or again after the look that is under way. */
  wake(): void
  /** One look: asks for those who wait, and ends what nothing is left of. Answers when all is done. */
  look(): Promise<void>
  /** Ends the sign-ins of providers that the file doesn't name any more. */
  endForeign(): Promise<void>
  close(): Promise<void>
}

/**
 * Asks providers for people who don't come by themselves: with a browser session, an open tunnel, or after a logout token. Each provider
 * has a lane of its own, so that a silent one holds up nobody else's people.
 */
export function startBackground(parts: FederationParts, asking: Asking): Background {
  const state = { closed: false, foreign: false }
  const pace = createPace(() => state.closed)
  const ask = async (id: string): Promise<boolean> => {
    const open = await pace()
    if (open) await askFor(parts, asking, id)
    return open
  }
  const lanes = new Map<string, Turn>()
  const turn: Turning = (work) =>
    createTurn(
      () => work().catch((error: unknown) => parts.tell('issuer.fault', faultOf(error), 'error')),
      () => state.closed,
    )
  const tidy = turn(async () => {
    if (state.foreign) await endForeign(parts)
    state.foreign = false
    await endAbandoned(parts)
  })
  const look = async (anew: boolean): Promise<void> => {
    const issuers = parts.settings().providers.map(({ issuer }) => issuer)
    for (const known of lanes.keys()) if (!issuers.includes(known)) lanes.delete(known)
    for (const issuer of issuers) {
      if (!lanes.has(issuer)) lanes.set(issuer, createLane(parts, issuer, ask, turn))
    }
    await Promise.all([tidy, ...lanes.values()].map((each) => each.take(anew)))
  }
  const timer = setInterval(() => void look(false), LOOK_MS)
  timer.unref()
  return {
    wake: () => void look(true),
    look: () => look(true),
    endForeign: () =>
      endForeign(parts).catch((error: unknown) => {
        // Its tokens are given no more by the file in force; those that live are ended at the next look.
        state.foreign = true
        parts.tell('issuer.fault', faultOf(error), 'error')
      }),
    close: async () => {
      state.closed = true
      clearInterval(timer)
      await Promise.all([tidy, ...lanes.values()].map((each) => each.under()))
    },
  }
}

type Turning = (work: () => Promise<void>) => Turn

interface Turn {
  /** Does the work; where it is being done, `anew` lets it be done once more. Answers when it is done. */
  take(anew: boolean): Promise<void>
  under(): Promise<void> | undefined
}

function createTurn(work: () => Promise<void>, closed: () => boolean): Turn {
  const state: { under: Promise<void> | undefined; again: boolean } = { under: undefined, again: false }
  const run = async (): Promise<void> => {
    do {
      state.again = false
      await work()
    } while (state.again && !closed())
  }
  return {
    take: (anew) => {
      if (closed()) return Promise.resolve()
      if (state.under !== undefined && anew) state.again = true
      state.under ??= run().finally(() => {
        state.under = undefined
      })
      return state.under
    },
    under: () => state.under,
  }
}

/** Lets one go every {@link PACE_MS}, in the order in which they came; false: there is nothing to be done any more. */
function createPace(closed: () => boolean): () => Promise<boolean> {
  const state = { last: Number.NEGATIVE_INFINITY, line: Promise.resolve() }
  return async () => {
    const before = state.line
    state.line = (async () => {
      await before
      const rest = state.last + PACE_MS - performance.now()
      if (rest > 0 && !closed()) await delay(rest)
      state.last = performance.now()
    })()
    await state.line
    return !closed()
  }
}

/**
 * Looks for one provider's people: each is picked when their turn comes, once in a look, so that whoever falls due meanwhile is next.
 * @param ask False: there is nothing to be done any more. @param turn Makes work that is done by one at a time.
 */
function createLane(
  parts: FederationParts,
  issuer: string,
  ask: (id: string) => Promise<boolean>,
  turn: Turning,
): Turn {
  const seen = new Set<string>()
  const waitingNow = (): Promise<readonly string[]> => {
    const nowMs = parts.now()
    return parts.store.waitingSignIns({
      nowMs,
      askedBeforeMs: nowMs - RHYTHM_MS,
      usedSince: Math.floor(nowMs / 1000) - USED_SECONDS,
      issuer,
      limit: seen.size + AT_ONCE,
    })
  }
  const worker = async (): Promise<void> => {
    for (;;) {
      const next = (await waitingNow()).find((id) => !seen.has(id))
      if (next === undefined) return
      seen.add(next)
      if (!(await ask(next))) return
    }
  }
  const lane = turn(async () => {
    seen.clear()
    await Promise.all(Array.from({ length: AT_ONCE }, worker))
  })
  return {
    take: (anew) => {
      if (anew) seen.clear()
      return lane.take(anew)
    },
    under: lane.under,
  }
}

async function askFor({ store, now, tell }: FederationParts, asking: Asking, id: string): Promise<void> {
  const nowMs = now()
  try {
    const signIn = await store.providerSignIn(id)
    if (signIn === undefined) return
    const due = signIn.dueAtMs !== undefined && signIn.dueAtMs <= nowMs
    await asking.standing(signIn, due ? 'logout' : 'background', true)
    // A provider that gave no word is asked again by the common rhythm.
    if (due) await store.clearDue(id, signIn.dueAtMs ?? 0)
  } catch (error) {
    tell('issuer.fault', faultOf(error), 'error')
  }
}

/** Gives up at the provider what no session and no authorization lives by any more. */
async function endAbandoned({ store, now, acts, revokeThere }: FederationParts): Promise<void> {
  for (const id of await store.abandonedSignIns(now(), BATCH)) {
    const signIn = await store.providerSignIn(id)
    if (signIn === undefined || signIn.ended) continue
    revokeThere(signIn)
    await acts.endProviderSignIns([signIn], false, { reason: 'signed_out', source: 'background' })
  }
}

async function endForeign({ store, settings, acts, tell }: FederationParts): Promise<void> {
  const issuers = settings().providers.map(({ issuer }) => issuer)
  for (;;) {
    const signIns = await store.foreignProviderSignIns(issuers, BATCH)
    if (signIns.length === 0) return
    const why = { reason: 'provider_removed', source: 'background' }
    await acts.endProviderSignIns(signIns, false, why)
    for (const { provider, sub } of signIns) tell('federation.ended', { provider, sub, ...why }, 'warn')
  }
}
