import type { Store } from '../../store/store.ts'
import { seal, unseal } from '../keys/sealing.ts'

/** How long a client that did not hear the answer may ask the same again. */
const REPEAT_SECONDS = 30

export interface RefreshRequest {
  readonly refreshToken: string
  readonly clientId: string
  readonly resource: readonly string[]
  readonly scope: string | undefined
  /** The key that the request was proven with; another key is another request, whatever the client's kind. */
  readonly jkt: string | undefined
}

type Answer = Record<string, unknown>

interface Kept {
  readonly asked: string
  readonly answer: Answer
}

/** The answers to refresh requests, kept for a repeat: sealed in the store, so that they outlive a restart. */
export interface RefreshAnswers {
  /** Whether a repeat of this refresh token can be answered still. */
  holds(refreshToken: string): Promise<boolean>
  /** The answer that was given to the same request; 'other' when another one was answered; undefined: none is kept. */
  recall(request: RefreshRequest): Promise<Answer | 'other' | undefined>
  /** Keeps an answer, and forgets the one that brought the refresh token which was used now. */
  keep(request: RefreshRequest, answer: Answer): Promise<void>
}

/** @param now milliseconds. */
export function createRefreshAnswers(store: Store, masterKey: Buffer, now: () => number): RefreshAnswers {
  const read = async (key: string): Promise<string | undefined> => {
    const sealed = await store.replay(key, Math.floor(now() / 1000))
    // The key holds the refresh token: a copy of the store and the master key together open nothing without it.
    return sealed === undefined ? undefined : unseal(masterKey, key, sealed)
  }
  return {
    holds: async (refreshToken) =>
      (await store.replay(answerKey(refreshToken), Math.floor(now() / 1000))) !== undefined,
    recall: async (request) => {
      const plain = await read(answerKey(request.refreshToken))
      if (plain === undefined) return undefined
      const kept: Kept = JSON.parse(plain)
      return kept.asked === fingerprint(request) ? kept.answer : 'other'
    },
    keep: async (request, answer) => {
      const kept: Kept = { asked: fingerprint(request), answer }
      const key = answerKey(request.refreshToken)
      const successor = typeof answer.refresh_token === 'string' ? answerKey(answer.refresh_token) : undefined
      const sealed = seal(masterKey, key, JSON.stringify(kept))
      await store.putReplay(key, sealed, Math.ceil(now() / 1000) + REPEAT_SECONDS, successor)
      await store.deleteReplayThatBrought(key)
    },
  }
}

function answerKey(refreshToken: string): string {
  return `refresh answer ${refreshToken}`
}

function fingerprint({ clientId, resource, scope, jkt }: RefreshRequest): string {
  return JSON.stringify([clientId, [...resource], (scope ?? '').split(' ').sort(), jkt ?? ''])
}
