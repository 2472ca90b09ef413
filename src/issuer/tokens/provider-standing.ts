import type { IncomingMessage } from 'node:http'
import { gidOf } from '../../store/sealed-payload.ts'
import type { UserRecord } from '../../store/store.ts'
import type { IssuerContext } from '../context.ts'
import type { Standing } from '../federation/federation.ts'
import { issuerRequestOf } from '../http/request.ts'
import { invalidGrant, unavailable } from './errors.ts'

/** The parameter that a grant is redeemed by, and what the library calls it. */
const REDEEMED: readonly (readonly [parameter: string, model: string])[] = [
  ['refresh_token', 'RefreshToken'],
  ['code', 'AuthorizationCode'],
  ['device_code', 'DeviceCode'],
]

interface Asked {
  readonly gid: string
  readonly standing: Standing
}

const asked = new WeakMap<IncomingMessage, Asked>()

/**
 * Asks the provider behind what a token request is about to redeem, when its word is too old. Before the request's transaction begins,
 * for nobody waits for a stranger in one; and so before anything is spent.
 */
export async function askBeforehand(context: IssuerContext, request: IncomingMessage): Promise<void> {
  if (context.settings().providers.length === 0) return
  const { form } = issuerRequestOf(request)
  const [parameter, model] = REDEEMED.find(([name]) => form.has(name)) ?? []
  if (parameter === undefined || model === undefined) return
  const payload = await context.store.model(model, form.get(parameter) ?? '')
  if (typeof payload?.grantId !== 'string') return
  const gid = gidOf(payload.grantId)
  asked.set(request, { gid, standing: await context.federation.standingOfAuthorization(gid, 'refresh') })
}

/**
 * What the sign-in behind the authorization is worth, read within the request's transaction. Throws the library's error where nothing
 * may be given: `invalid_grant`, or 503 while the provider is silent.
 */
export async function standingFor(
  { federation }: IssuerContext,
  request: IncomingMessage,
  gid: string,
): Promise<Extract<Standing, { kind: 'own' | 'good' }>> {
  const before = asked.get(request)
  const standing = await federation.lastOfAuthorization(gid)
  if (standing.kind === 'own') return standing
  if (standing.kind === 'ended' || (before?.gid === gid && before.standing.kind === 'ended')) {
    throw invalidGrant('the sign-in at the provider has ended; sign in again')
  }
  const heard = before?.gid === gid && before.standing.kind === 'good'
  if (standing.kind === 'unavailable' || !heard) {
    throw unavailable('the provider of this sign-in does not answer; try again', 10)
  }
  return standing
}

/** The person with the groups that count in what came from this sign-in: those set here, and the provider's. */
export function withGroups(user: UserRecord, standing: Standing): UserRecord {
  if (standing.kind !== 'good') return user
  return { ...user, groups: [...new Set([...user.groups, ...standing.groups])] }
}
