import type Provider from 'oidc-provider'
import { seal, unseal } from '../keys/sealing.ts'
import type { ExchangeParts, Holding } from './exchange.ts'

export interface SessionParts extends ExchangeParts {
  /** The engine of the moment. */
  readonly provider: () => Provider
}

/** A sign-in whose token waits for the gateway's judgment, sealed. */
export interface Opening extends Holding {
  readonly origin: string
  readonly browser: string
  readonly grantId: string
  readonly issuerSession: string
  /** Milliseconds. */
  readonly redeemedAt: number
}

const PURPOSE = 'browser session opening'
/** Long enough for a gateway to judge a token. */
const OPENING_MS = 60_000

export function sealOpening({ context }: SessionParts, opening: Opening): string {
  return seal(context.masterKey, PURPOSE, JSON.stringify(opening))
}

/** What {@link sealOpening} sealed, a moment ago. */
export function readOpening({ context }: SessionParts, sealed: string): Opening | undefined {
  const text = unseal(context.masterKey, PURPOSE, sealed)
  const opening: Opening | undefined = text === undefined ? undefined : JSON.parse(text)
  return opening !== undefined && context.now() - opening.redeemedAt < OPENING_MS ? opening : undefined
}
