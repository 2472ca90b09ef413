import type { WeakSignIn } from '../../core/assurance.ts'
import { LEVELS, levelOf, OWN_ACR, reaches, type SignInNeed } from '../../core/levels.ts'
import type { FactorStore } from '../../store/factor-store.ts'

/** Refusals that a better sign-in would have spared, remembered: few clients of this time ask for one by themselves (RFC 9470 §4). */
export interface StepUps {
  /** Never throws; what the store throws is told to `onFault`. */
  note(refusal: WeakSignIn): Promise<void>
  /** What that person's next authorization by that client has to satisfy. */
  refused(sub: string, clientId: string): Promise<SignInNeed | undefined>
  /** Once the person gave up, what needs no better sign-in must open again; a further refusal is noted anew. Throws what the store throws. */
  forget(sub: string, clientId: string): Promise<void>
}

const REMEMBERED_SECONDS = 600
const MOST = 10_000
/** A client that tries again and again is noted this often. */
const AGAIN_MS = 30_000

interface StepUpParts {
  readonly store: Pick<FactorStore, 'noteWeakSignIn' | 'weakSignIn'>
  /** Milliseconds. */
  readonly now: () => number
  readonly onFault: (error: unknown) => void
}

/** Keeps the last 10,000, for ten minutes each, in the store: whoever shares it asks for the sign-in. */
export function createStepUps({ store, now, onFault }: StepUpParts): StepUps {
  const noted = new Map<string, number>()
  const underWay = new Set<Promise<void>>()
  const keep = async ({ sub, clientId, need }: WeakSignIn): Promise<void> => {
    const expiresAt = Math.floor(now() / 1000) + REMEMBERED_SECONDS
    try {
      await store.noteWeakSignIn({ sub, clientId, acr: need.acr, maxAge: need.maxAge, expiresAt }, MOST)
    } catch (error) {
      onFault(error)
    }
  }
  return {
    note: (refusal) => {
      const key = JSON.stringify([refusal.sub, refusal.clientId, refusal.need])
      if ((noted.get(key) ?? Number.NEGATIVE_INFINITY) > now() - AGAIN_MS) return Promise.resolve()
      noted.delete(key)
      noted.set(key, now())
      if (noted.size > MOST) for (const oldest of noted.keys()) if (noted.delete(oldest)) break
      const done = keep(refusal).finally(() => underWay.delete(done))
      underWay.add(done)
      return done
    },
    refused: async (sub, clientId) => {
      // The client may come back before the store has it.
      await Promise.all(underWay)
      const kept = await store.weakSignIn(sub, clientId, Math.floor(now() / 1000))
      if (kept === undefined) return undefined
      return { acr: LEVELS.find((level) => level === kept.acr), maxAge: kept.maxAge }
    },
    forget: async (sub, clientId) => {
      await Promise.all(underWay)
      const ofThem = JSON.stringify([sub, clientId]).slice(0, -1)
      for (const key of noted.keys()) if (key.startsWith(`${ofThem},`)) noted.delete(key)
      if ((await store.weakSignIn(sub, clientId, Math.floor(now() / 1000))) === undefined) return
      await store.noteWeakSignIn({ sub, clientId, acr: undefined, maxAge: undefined, expiresAt: 0 }, MOST)
    },
  }
}

/** Whether a sign-in is enough. @param authTime NumericDate, seconds; undefined: it can't be told. */
export function satisfies(
  { acr, maxAge }: SignInNeed,
  signIn: { readonly acr: unknown; readonly authTime: number | undefined },
  now: number,
): boolean {
  if (acr !== undefined && !reaches(levelOf(signIn.acr, OWN_ACR), acr)) return false
  return maxAge === undefined || (signIn.authTime !== undefined && now - signIn.authTime <= maxAge)
}
