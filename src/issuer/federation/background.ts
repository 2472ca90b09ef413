import { faultOf } from '../context.ts'
import type { Asking } from './asking.ts'
import type { FederationParts } from './federation-parts.ts'

/** Between two looks for people whose provider is to be asked. */
const LOOK_MS = 5_000
/** How old a provider's word may be for somebody with a browser session or an open tunnel. */
const RHYTHM_MS = 15 * 60_000
/** An open tunnel is noted as a use every minute. */
const USED_SECONDS = 180
/** At most this many are begun in a look: ten a second. */
const MOST_A_LOOK = 50
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

/** Asks providers for people who don't come by themselves: with a browser session, an open tunnel, or after a logout token. */
export function startBackground(parts: FederationParts, asking: Asking): Background {
  const state: { under: Promise<void> | undefined; again: boolean; closed: boolean; foreign: boolean } = {
    under: undefined,
    again: false,
    closed: false,
    foreign: false,
  }
  const run = async (): Promise<void> => {
    do {
      state.again = false
      if (state.foreign) await endForeign(parts)
      state.foreign = false
      await askWaiting(parts, asking)
      await endAbandoned(parts)
    } while (state.again && !state.closed)
  }
  const look = (): Promise<void> => {
    if (state.closed) return Promise.resolve()
    if (state.under !== undefined) {
      state.again = true
      return state.under
    }
    state.under = run()
      .catch((error: unknown) => parts.tell('issuer.fault', faultOf(error), 'error'))
      .finally(() => {
        state.under = undefined
      })
    return state.under
  }
  const timer = setInterval(() => void look(), LOOK_MS)
  timer.unref()
  return {
    wake: () => void look(),
    look,
    endForeign: () =>
      endForeign(parts).catch((error: unknown) => {
        // Its tokens are given no more by the file in force; those that live are ended at the next look.
        state.foreign = true
        parts.tell('issuer.fault', faultOf(error), 'error')
      }),
    close: async () => {
      state.closed = true
      clearInterval(timer)
      await state.under
    },
  }
}

async function askWaiting({ store, now, tell }: FederationParts, asking: Asking): Promise<void> {
  const nowMs = now()
  const waiting = await store.waitingSignIns({
    nowMs,
    askedBeforeMs: nowMs - RHYTHM_MS,
    usedSince: Math.floor(nowMs / 1000) - USED_SECONDS,
    limit: MOST_A_LOOK,
  })
  const asks = waiting.map(async (id) => {
    const signIn = await store.providerSignIn(id)
    if (signIn === undefined) return
    const due = signIn.dueAtMs !== undefined && signIn.dueAtMs <= nowMs
    await asking.standing(signIn, due ? 'logout' : 'background', true)
    // A provider that gave no word is asked again by the common rhythm.
    if (due) await store.clearDue(id, signIn.dueAtMs ?? 0)
  })
  for (const result of await Promise.allSettled(asks)) {
    if (result.status === 'rejected') tell('issuer.fault', faultOf(result.reason), 'error')
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
