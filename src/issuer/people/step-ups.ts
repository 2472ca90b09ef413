import type { WeakSignIn } from '../../core/assurance.ts'
import { levelOf, OWN_ACR, reaches, type SignInNeed } from '../../core/levels.ts'

/** Refusals that a better sign-in would have spared, remembered: few clients of this time ask for one by themselves (RFC 9470 §4). */
export interface StepUps {
  note(refusal: WeakSignIn): void
  /** What that person's next authorization by that client has to satisfy. */
  refused(sub: string, clientId: string): SignInNeed | undefined
}

const REMEMBERED_MS = 10 * 60_000
const MOST = 10_000

/** Keeps the last 10,000, for ten minutes each, in this process. @param now milliseconds. */
export function createStepUps(now: () => number): StepUps {
  const kept = new Map<string, { readonly need: SignInNeed; readonly untilMs: number }>()
  const find = (key: string): SignInNeed | undefined => {
    const entry = kept.get(key)
    if (entry !== undefined && entry.untilMs > now()) return entry.need
    kept.delete(key)
    return undefined
  }
  return {
    note: ({ sub, clientId, need }) => {
      const key = keyOf(sub, clientId)
      kept.delete(key)
      kept.set(key, { need, untilMs: now() + REMEMBERED_MS })
      if (kept.size > MOST) for (const oldest of kept.keys()) if (kept.delete(oldest)) break
    },
    refused: (sub, clientId) => find(keyOf(sub, clientId)),
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

function keyOf(sub: string, clientId: string): string {
  return JSON.stringify([sub, clientId])
}
