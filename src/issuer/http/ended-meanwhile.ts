import type { IncomingMessage } from 'node:http'
import { personKey } from '../../core/revocation.ts'
import { type IssuerContext, seconds } from '../context.ts'
import { issuerRequestOf } from './request.ts'

/** Whose authentication something carries, and for which client. */
interface Carried {
  readonly sub: string | undefined
  readonly clientId: string | undefined
}

/** Notes which acts of revocation came before the request; for {@link endedMeanwhile}. */
export async function noteActs({ store }: IssuerContext, request: IncomingMessage): Promise<void> {
  issuerRequestOf(request).lastActId = await store.lastRevocationId()
}

/**
 * Whether an act has ended, since the request came in, what it is about to hand on. To be asked once that is stored: an act
 * that comes later finds it there and ends it. False where {@link noteActs} was not called.
 */
export async function endedMeanwhile(
  context: Pick<IssuerContext, 'store' | 'now'>,
  request: IncomingMessage,
  carried: Carried,
): Promise<boolean> {
  const { lastActId } = issuerRequestOf(request)
  return lastActId !== undefined && endedSince(context, lastActId, carried)
}

/** Whether an act after the one of this id has ended it. */
export async function endedSince(
  context: Pick<IssuerContext, 'store' | 'now'>,
  actId: number,
  { sub = '', clientId = '' }: Carried,
): Promise<boolean> {
  const acts = await context.store.revocations(actId, seconds(context))
  return acts.some(({ kind, key }) => {
    if (kind === 'sub') return key === sub
    return kind === 'client' ? key === clientId : kind === 'sub_client' && key === personKey(sub, clientId)
  })
}
