import { randomBytes } from 'node:crypto'
import type { Store } from '../../store/store.ts'
import { seal, unseal } from '../keys/sealing.ts'

/** What a browser is asked with (WebAuthn §5.4, §5.5), and what its answer has to bring back beside it. */
export interface Ceremony {
  /** JSON, as `parseCreationOptionsFromJSON` and `parseRequestOptionsFromJSON` take it. */
  readonly options: string
  /** Says, to nobody but this issuer, what was asked and of whom. */
  readonly sealed: string
}

/** What was asked. */
export interface Asked {
  /** A passkey is made, or used. */
  readonly kind: 'create' | 'get'
  /** Base64url. */
  readonly challenge: string
  /** The sign-in or session, of one browser, that the page belonged to. */
  readonly place: string
  /** Who was asked; undefined: anybody. */
  readonly sub: string | undefined
  /** Milliseconds. */
  readonly atMs: number
}

interface Ceremonies {
  /** A new challenge, and what seals it. */
  begin(asked: Pick<Asked, 'kind' | 'place' | 'sub'>): {
    readonly challenge: Buffer<ArrayBuffer>
    readonly sealed: string
  }
  /** What was asked at `place` within five minutes and is answered for the first time; it is used up by that. */
  take(sealed: string, kind: Asked['kind'], place: string): Promise<Asked | undefined>
}

/** How long an answer is waited for. */
export const CEREMONY_MS = 5 * 60_000

const PURPOSE = 'passkey ceremony'
const USED = 'PasskeyChallenge'

/** Challenges, each good once: only those that were answered take a row. @param now milliseconds. */
export function createCeremonies(store: Store, masterKey: Buffer, now: () => number): Ceremonies {
  return {
    begin: ({ kind, place, sub }) => {
      const challenge = Buffer.from(randomBytes(32))
      const asked: Asked = { kind, challenge: challenge.toString('base64url'), place, sub, atMs: now() }
      return { challenge, sealed: seal(masterKey, PURPOSE, JSON.stringify(asked)) }
    },
    take: async (sealed, kind, place) => {
      const text = unseal(masterKey, PURPOSE, sealed)
      if (text === undefined) return undefined
      const asked: Asked = JSON.parse(text)
      const age = now() - asked.atMs
      if (asked.kind !== kind || asked.place !== place || age < 0 || age > CEREMONY_MS) return undefined
      const expiresAt = Math.ceil((asked.atMs + CEREMONY_MS) / 1000)
      return (await store.addModel(USED, asked.challenge, {}, expiresAt)) ? asked : undefined
    },
  }
}
