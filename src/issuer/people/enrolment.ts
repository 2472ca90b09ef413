import type { IssuerContext } from '../context.ts'
import { seal, unseal } from '../keys/sealing.ts'

const PURPOSE = 'authenticator enrolment'
const LASTS_MS = 10 * 60_000

interface Enrolment {
  readonly secret: string
  readonly place: string
  readonly sub: string
  readonly atMs: number
}

/** A secret that was shown to somebody and isn't in force yet, for the form that brings its first code. @param place where it was shown. */
export function sealSecret({ masterKey, now }: IssuerContext, secret: string, place: string, sub: string): string {
  const said: Enrolment = { secret, place, sub, atMs: now() }
  return seal(masterKey, PURPOSE, JSON.stringify(said))
}

/** The secret that was shown to this person at `place` within ten minutes; undefined: none was. */
export function sealedSecret(
  { masterKey, now }: IssuerContext,
  sealed: string,
  place: string,
  sub: string,
): string | undefined {
  const text = unseal(masterKey, PURPOSE, sealed)
  if (text === undefined) return undefined
  const said: Enrolment = JSON.parse(text)
  const age = now() - said.atMs
  return said.place === place && said.sub === sub && age >= 0 && age <= LASTS_MS ? said.secret : undefined
}
