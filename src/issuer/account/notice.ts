import { queryOf } from '../incoming.ts'
import type { IssuerContext } from '../issuer-context.ts'
import { redirect } from '../page-answer.ts'
import { seal, unseal } from '../sealing.ts'
import { ACCOUNT_PATH, type AccountVisit } from './visit.ts'

/** What an act did, carried to the page that says so. Times in milliseconds. */
export type Outcome =
  | { readonly kind: 'ended'; readonly what: string; readonly atMs: number; readonly lastUsedAtMs: number | undefined }
  /** Somebody pressed a button of a page that was out of date. */
  | { readonly kind: 'gone'; readonly what: string; readonly atMs: number }
  | { readonly kind: 'password'; readonly atMs: number }
  | { readonly kind: 'signed_out'; readonly atMs: number }
  | { readonly kind: 'everywhere'; readonly atMs: number }

const PURPOSE = 'account notice'
/** A link that is kept or passed on stops speaking after this long. */
const SHOWN_MS = 10 * 60_000

/** Leads back to the account page, which then says what was done. Only for `reader` (a sub); undefined: for nobody signed in. */
export function leadBack({ context, response }: AccountVisit, outcome: Outcome, reader: string | undefined): void {
  const notice = seal(context.masterKey, PURPOSE, JSON.stringify({ ...outcome, reader }))
  redirect(response, `${ACCOUNT_PATH}?notice=${notice}`)
}

/** What the address says was done: sealed by {@link leadBack}, a moment ago, for this reader. */
export function outcomeFor(visit: AccountVisit, reader: string | undefined): Outcome | undefined {
  const { context, request } = visit
  const sealed = queryOf(request).get('notice')
  const text = sealed === null ? undefined : unseal(context.masterKey, PURPOSE, sealed)
  if (text === undefined) return undefined
  const read: Outcome & { readonly reader?: string } = JSON.parse(text)
  return read.reader === reader && isFresh(context, read) ? read : undefined
}

function isFresh({ now }: IssuerContext, { atMs }: Outcome): boolean {
  return Math.abs(now() - atMs) < SHOWN_MS
}
