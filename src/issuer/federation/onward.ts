import { endedSince } from '../http/ended-meanwhile.ts'
import { connect, enter } from './admission.ts'
import type { Pending, Purpose } from './attempt-records.ts'
import { clientOf, refuse } from './departure.ts'
import type { FederationParts } from './federation-parts.ts'
import type { Landing, ProviderLogin, ProviderRequest, SignInReason } from './landing.ts'
import type { RelyingParty } from './provider/relying-party.ts'

/** One request that a provider sent somebody back with. */
export interface CallbackRequest extends ProviderRequest {
  readonly parts: FederationParts
  readonly party: RelyingParty
  readonly landing: Landing
}

/** What {@link isOver} says of it. */
export const OVER = { reason: 'state_mismatch', detail: 'an act of revocation has ended it meanwhile' } as const

/** Whether an act of revocation has ended since what somebody begun here is to lead to; what the provider has said is older than the act. */
export function isOver(
  { parts }: CallbackRequest,
  { purpose, actId }: Pick<Pending, 'purpose' | 'actId'>,
  sub: string,
): Promise<boolean> {
  return endedSince(parts, actId, { sub, clientId: clientOf(purpose) })
}

/** Signs in for what waits. */
export async function landLogin(
  call: CallbackRequest,
  purpose: Exclude<Purpose, { kind: 'proof' }>,
  login: ProviderLogin,
): Promise<void> {
  const { parts, party, landing } = call
  const provider = party.provider.id
  parts.counted(provider, 'ok', 'ok')
  await parts.record('federation.sign_in', { provider, sub: login.sub, client: clientOf(purpose), source: 'sign_in' })
  if (purpose.kind !== 'interaction') return landing.account(call, login)
  if (!(await landing.interaction(call, purpose.uid, login))) return landing.account(call, login)
}

/** Connects what waited with the account that was shown, and goes on in one go. */
export async function connectAndLand(call: CallbackRequest, pending: Pending, sub: string): Promise<void> {
  const { parts, party } = call
  const { purpose, arrival } = pending
  const outcome = await parts.store.unit(
    async () => {
      await parts.store.hold({ wholeSub: sub })
      return (await isOver(call, pending, sub)) ? undefined : connect(parts, party, arrival, sub)
    },
    (result) => result !== undefined,
  )
  if (outcome === undefined) return problem(call, purpose, OVER)
  if (outcome !== 'linked' && outcome !== 'known') {
    return problem(call, purpose, { reason: 'name_taken', detail: `the account could not be connected: ${outcome}` })
  }
  const entered = await enter(parts, party, arrival, sub)
  if (entered.kind !== 'admitted') return problem(call, purpose, entered)
  return landLogin(call, purpose, { sub, signIn: entered.signIn, ...arrival })
}

/** Back to where the person signs in, with the reason; the provider's own words are for the log. */
export async function problem(
  call: CallbackRequest,
  purpose: Purpose,
  { reason, detail }: { readonly reason: SignInReason; readonly detail: string },
): Promise<void> {
  const { parts, party, landing } = call
  await refuse(parts, party.provider.id, reason, detail, clientOf(purpose))
  landing.problem(call, purpose.kind === 'interaction' ? purpose.uid : undefined, reason)
}
