import type { IncomingMessage } from 'node:http'
import type { IssuerContext } from '../context.ts'
import { seal, unseal } from '../keys/sealing.ts'
import { queryOf } from './request.ts'

const PURPOSE = 'way on after a sign-out'
/** A provider may ask a question first. */
const SHOWN_MS = 10 * 60_000

/** The way on after a sign-out at a provider, as the `state` that it sends back (OpenID Connect RP-Initiated Logout §2). */
export function sealOnward({ masterKey, now }: Pick<IssuerContext, 'masterKey' | 'now'>, url: string): string {
  return seal(masterKey, PURPOSE, JSON.stringify({ url, atMs: now() }))
}

/** Where the request that came back goes on; undefined for none of ours, and an old one. The URL was registered by a client. */
export function onwardOf(
  { masterKey, now }: Pick<IssuerContext, 'masterKey' | 'now'>,
  request: IncomingMessage,
): string | undefined {
  const state = queryOf(request).get('state')
  const text = state === null ? undefined : unseal(masterKey, PURPOSE, state)
  if (text === undefined) return undefined
  const { url, atMs }: { readonly url: string; readonly atMs: number } = JSON.parse(text)
  return Math.abs(now() - atMs) < SHOWN_MS ? url : undefined
}
