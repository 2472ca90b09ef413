import type { Config } from '../config/config.ts'
import type { BackChannel } from '../gateway/credentials/back-channel.ts'
import type { OpenIssuerLink } from '../server/issuer-link.ts'
import { type IssuerMount, NO_ISSUER } from '../server/issuer-mount.ts'
import { createLastUse } from '../server/last-use.ts'
import { createRevocations } from '../server/revocations.ts'
import type { UseAnswer, UseJti } from '../token/dpop.ts'
import type { PrimaryMessage, WorkerInit, WorkerLink } from './messages.ts'
import type { PassOn } from './pass-on.ts'

interface WorkerIssuerLink {
  readonly open: OpenIssuerLink
  /** Takes in what the primary says about keys, revocations and proofs; other messages are passed over. */
  receive(message: PrimaryMessage): void
}

// An answer takes a fraction of a millisecond; a primary that is so busy can't be waited for.
const PROOF_MS = 2_000

/** What a worker knows of issuer and store: as much as the primary tells it. It exists before anything is opened, so no message is lost. */
export function createWorkerIssuerLink(briefing: WorkerInit, link: WorkerLink, passOn: PassOn): WorkerIssuerLink {
  const state = { ...heard(briefing), keys: briefing.publicKeys }
  const keyListeners: (() => void)[] = []
  const proofs = createProofs(link)
  const questions = createQuestions(link)
  const revocations = createRevocations({
    now: Date.now,
    onState: () => undefined,
    // The primary tells how long.
    staleAfterMs: () => Number.POSITIVE_INFINITY,
  })
  revocations.add(briefing.revocations)
  const usage = createLastUse(
    { touchAuthorizations: async (uses) => link.send({ kind: 'used', uses }) },
    () => undefined,
  )
  return {
    receive: (message) => {
      if (message.kind === 'revocations') revocations.add(message.entries)
      if (message.kind === 'state') Object.assign(state, heard(message))
      if (message.kind === 'answer') questions.settle(message.ask, message.answer)
      if (message.kind === 'proof') proofs.settle(message.ask, message.answer)
      if (message.kind !== 'keys') return
      state.keys = message.publicKeys
      for (const listener of keyListeners) listener()
    },
    open: async (config, { tunnels }, closing) => {
      revocations.onAdded(() => void tunnels.closeRevoked((token) => revocations.isRevoked(token)))
      closing.add(() => revocations.close())
      closing.add(async () => {
        usage.close()
        await usage.flush()
      })
      const issuer = await mountForWorker(config, passOn, () => state.keys, questions)
      closing.add(() => issuer.close())
      return {
        issuer,
        revocations,
        unready: () => undefined,
        issuerUnready: async () => undefined,
        unavailable: () => state.unavailable ?? (isSilent(state) ? 'the primary process is silent' : undefined),
        goodForMs: () => undefined,
        onAvailability: () => undefined,
        noteUse: usage.note,
        noteWeakSignIn: (refusal) => link.send({ kind: 'weak_sign_in', refusal }),
        onKeysChanged: (listener) => void keyListeners.push(listener),
        useJti: proofs.use,
        store: undefined,
        feed: undefined,
        clock: undefined,
        knowledge: undefined,
        facts: undefined,
        following: undefined,
      }
    },
  }
}

/** What the primary said last of what is known of revocations, and until when that counts, by both clocks. */
interface Heard {
  readonly unavailable: string | undefined
  readonly untilMs: number
  readonly untilWallMs: number
}

function heard({
  unavailable,
  goodForMs = Number.POSITIVE_INFINITY,
}: Pick<WorkerInit, 'unavailable' | 'goodForMs'>): Heard {
  return { unavailable, untilMs: performance.now() + goodForMs, untilWallMs: Date.now() + goodForMs }
}

/** The monotonic clock stands still while a machine sleeps, the other one can be set: the longer time counts. */
function isSilent({ untilMs, untilWallMs }: Heard): boolean {
  return performance.now() > untilMs || Date.now() > untilWallMs
}

async function mountForWorker(
  config: Config,
  passOn: PassOn,
  publicKeys: () => WorkerInit['publicKeys'],
  backChannel: BackChannel,
): Promise<IssuerMount> {
  switch (config.issuer.kind) {
    case 'off':
      return NO_ISSUER
    case 'upstream': {
      const { mountUpstream } = await import('../server/issuer-pass-on.ts')
      // The feed token stays with the primary, which asks for its workers.
      return { ...(await mountUpstream(config, config.issuer)), backChannel }
    }
    case 'embedded':
      return { ...NO_ISSUER, handle: passOn, own: { publicKeys }, backChannel }
  }
}

/** Questions to the primary whether a DPoP proof is used for the first time: it counts once over all workers. */
function createProofs(link: WorkerLink): { use: UseJti; settle(ask: number, answer: UseAnswer): void } {
  const waiting = new Map<number, (answer: UseAnswer) => void>()
  const state = { asks: 0 }
  const settle = (ask: number, answer: UseAnswer): void => {
    waiting.get(ask)?.(answer)
    waiting.delete(ask)
  }
  const use: UseJti = (key, expiresAt, now) =>
    new Promise((resolve) => {
      state.asks += 1
      const ask = state.asks
      const timer = setTimeout(() => settle(ask, undefined), PROOF_MS)
      waiting.set(ask, (answer) => {
        clearTimeout(timer)
        resolve(answer)
      })
      link.send({ kind: 'proof', ask, key, expiresAt, now })
    })
  return { use, settle }
}

// A sign-in waits for the store at most.
const QUESTION_MS = 10_000

/** Questions of the back channel, which the primary answers. */
function createQuestions(link: WorkerLink): BackChannel & { settle(ask: number, answer: unknown): void } {
  const waiting = new Map<number, (answer: unknown) => void>()
  const state = { asks: 0 }
  const settle = (ask: number, answer: unknown): void => {
    waiting.get(ask)?.(answer)
    waiting.delete(ask)
  }
  return {
    settle,
    ask: (about, question) =>
      new Promise((resolve, reject) => {
        state.asks += 1
        const ask = state.asks
        const timer = setTimeout(() => settle(ask, undefined), QUESTION_MS)
        waiting.set(ask, (answer) => {
          clearTimeout(timer)
          if (answer === undefined) reject(new Error('the primary process has no answer'))
          // What the primary sends is of our own making.
          else resolve(answer as never)
        })
        link.send({ kind: 'question', ask, about, question })
      }),
  }
}
