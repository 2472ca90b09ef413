import type { AdminDependencies } from '../dependencies.ts'
import { nextSlice } from '../pace.ts'
import { unknownCursor } from '../problem.ts'
import { type Decision, type DecisionFilter, fits } from './decision.ts'

const HOUR_MS = 3_600_000
/** Each is about a thousand characters of JSON. */
const SLICE = 100
const MOST_LOOKED_AT = 20_000

/** A refusal in the store; undefined where it isn't kept. */
export async function findKept({ store }: AdminDependencies, requestId: string): Promise<Decision | undefined> {
  const kept = await store.refusal(requestId)
  return kept === undefined ? undefined : decisionOf(kept)
}

/** Newest first: what memory holds, then what the store has of before. The cursor says which, and where. */
export async function listDecisions(
  { decisions, store }: AdminDependencies,
  filter: DecisionFilter,
  cursor: string | undefined,
  limit: number,
): Promise<{ readonly items: readonly Decision[]; readonly next?: string }> {
  const { place, before } = placeOf(cursor)
  if (place === 'm') {
    const numbered = decisions.list(filter, before, limit)
    const last = numbered.at(-1)
    const items = numbered.map(({ decision }) => decision)
    if (items.length === limit && last !== undefined) return { items, next: `m:${last.number}` }
    const more = await fromStore({ decisions, store }, filter, Number.MAX_SAFE_INTEGER, limit - items.length)
    return { items: [...items, ...more.items], ...(more.next === undefined ? {} : { next: more.next }) }
  }
  return fromStore({ decisions, store }, filter, before, limit)
}

/** In memory or in the store, and before which number. */
function placeOf(cursor: string | undefined): { readonly place: 'm' | 's'; readonly before: number } {
  if (cursor === undefined) return { place: 'm', before: Number.MAX_SAFE_INTEGER }
  const [, place, number] = /^([ms]):(\d{1,15})$/.exec(cursor) ?? []
  if (number === undefined) throw unknownCursor()
  return { place: place === 's' ? 's' : 'm', before: Number(number) }
}

async function fromStore(
  { decisions, store }: Pick<AdminDependencies, 'decisions' | 'store'>,
  filter: DecisionFilter,
  before: number,
  limit: number,
): Promise<{ readonly items: readonly Decision[]; readonly next?: string }> {
  const items: Decision[] = []
  let at = before
  for (let looked = 0; looked < MOST_LOOKED_AT && limit > 0; looked += SLICE) {
    await nextSlice()
    const rows = await store.refusalsBefore(at, SLICE)
    for (const row of rows) {
      if (items.length === limit) return { items, next: `s:${at}` }
      at = row.id
      const decision = decisionOf(row.facts)
      if (decisions.find(decision.requestId) === undefined && fits(decision, filter)) items.push(decision)
    }
    if (rows.length < SLICE) return { items }
  }
  return limit > 0 ? { items, next: `s:${at}` } : { items }
}

/** How often the same client met the same reason within the last hour, of what memory holds. */
export function likeThis(
  { decisions, now }: AdminDependencies,
  { client, reason, address }: Decision,
): { readonly count: number; readonly since: number } {
  const since = Math.max(now() - HOUR_MS, decisions.keptSince)
  const filter = client === undefined ? { reason, address, since } : { reason, client, since }
  return { count: decisions.list(filter, Number.MAX_SAFE_INTEGER, MOST_LOOKED_AT).length, since }
}

function decisionOf(facts: string): Decision {
  const decision: Decision = JSON.parse(facts)
  return decision
}
