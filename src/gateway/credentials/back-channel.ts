import type { BackChannelKind, BackChannelTerms } from '../../core/back-channel.ts'

/** The way to the process that holds the issuer, whichever that is. Rejects when nobody answers there. */
export interface BackChannel {
  ask<K extends BackChannelKind>(
    kind: K,
    question: BackChannelTerms[K]['question'],
  ): Promise<BackChannelTerms[K]['answer']>
}
