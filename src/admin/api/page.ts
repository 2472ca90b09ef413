import { createHash } from 'node:crypto'
import { z } from 'zod'
import { nextSlice } from '../pace.ts'
import { unknownCursor } from '../problem.ts'

/** The most items of one answer. */
export const MOST = 200
/** Rows that are looked at in one turn, and in one call at most. */
const SLICE = 250
const MOST_LOOKED_AT = 20_000

/** What every list takes. */
export const PAGE = {
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .transform((limit) => Math.min(limit, MOST))
    .default(50)
    .describe('At most so many; above 200 is 200.'),
  // The key of a row may be a URL.
  cursor: z.string().max(4_096).optional().describe('What the answer before gave as `next`.'),
}

/** A text of a body that the store is asked with: U+0000 ends texts in databases. */
export function storable(longest: number) {
  return z
    .string()
    .max(longest)
    .refine((text) => !text.includes('\0'), 'must not hold U+0000')
}

/** A list's answer. */
export function listOf<T extends z.ZodType>(item: T) {
  return z.object({
    items: z.array(item),
    next: z.string().optional().describe('The `cursor` of the items that follow; none: this is the end.'),
  })
}

/** A time for people and programs. @param seconds NumericDate. */
export function timeOf(seconds: number): string {
  return new Date(seconds * 1_000).toISOString()
}

export const TIME = z.string().describe('RFC 3339, UTC.')

export function cursorOf(key: string | number): string {
  return Buffer.from(JSON.stringify([key])).toString('base64url')
}

/** The key behind a cursor; throws the problem for one that is none of ours, in the one spelling that it was given in. */
export function keyOf<T extends 'string' | 'number'>(cursor: string, kind: T): T extends 'string' ? string : number
export function keyOf(cursor: string, kind: string): string | number {
  try {
    const [key]: unknown[] = JSON.parse(Buffer.from(cursor, 'base64url').toString())
    const good = typeof key === 'string' ? !key.includes('\0') : Number.isSafeInteger(key)
    if (good && typeof key === kind && (typeof key === 'string' || typeof key === 'number') && cursorOf(key) === cursor)
      return key
  } catch {
    // Said below.
  }
  throw unknownCursor()
}

/** What a list was asked for: its path and its filter, whatever their order. */
export function askedOf(path: string, query: unknown): string {
  const filter = Object.entries(Object(query)).filter(([name]) => name !== 'cursor' && name !== 'limit')
  return JSON.stringify([path, filter.map(([name, value]) => [name, String(value)]).sort()])
}

/** A cursor with what it belongs to: another list, or another filter, is none that it leads on. */
export function boundCursor(cursor: string, asked: string): string {
  return `${cursor}.${createHash('sha256').update(asked).digest('base64url').slice(0, 8)}`
}

/** The cursor of {@link boundCursor}; throws the problem where it belongs to something else. */
export function unboundCursor(bound: string, asked: string): string {
  const cursor = bound.slice(0, bound.lastIndexOf('.'))
  if (boundCursor(cursor, asked) !== bound) throw unknownCursor()
  return cursor
}

/** The place in a list from which a page begins. */
type Place = Readonly<z.output<z.ZodObject<typeof PAGE>>>

/**
 * A page of a list that is at hand as a whole, in its own order. @param idOf of each item another one. A list in the order of its ids goes
 * on behind an item that has gone meanwhile; another has to be begun anew.
 */
export function pageOf<T>(
  all: readonly T[],
  idOf: (item: T) => string,
  { limit, cursor }: Place,
): { readonly items: T[]; readonly next?: string } {
  const begin = cursor === undefined ? 0 : placeAfter(all.map(idOf), keyOf(cursor, 'string'))
  const items = all.slice(begin, begin + limit)
  const last = items.at(-1)
  return last === undefined || begin + limit >= all.length ? { items } : { items, next: cursorOf(idOf(last)) }
}

function placeAfter(ids: readonly string[], id: string): number {
  const at = ids.indexOf(id)
  if (at >= 0) return at + 1
  if (ids.some((each, index) => index > 0 && each < (ids[index - 1] ?? ''))) throw unknownCursor()
  const next = ids.findIndex((each) => each > id)
  return next < 0 ? ids.length : next
}

interface Walk<Row, Key extends string | number> {
  readonly from: Key
  readonly limit: number
  /** The rows after a key, in its order. */
  readonly read: (after: Key, limit: number) => Promise<readonly Row[]>
  readonly keyOf: (row: Row) => Key
  readonly fits: (row: Row) => boolean
  /** No row from here on fits. */
  readonly isPast?: (row: Row) => boolean
}

/** Walks rows in slices until enough fit; a list that is looked through for long goes on with the next call. */
export async function walk<Row, Key extends string | number>({
  from,
  limit,
  read,
  keyOf: key,
  fits,
  isPast = () => false,
}: Walk<Row, Key>): Promise<{ readonly items: readonly Row[]; readonly next?: string }> {
  const items: Row[] = []
  let after = from
  for (let looked = 0; looked < MOST_LOOKED_AT; looked += SLICE) {
    await nextSlice()
    const rows = await read(after, SLICE)
    for (const row of rows) {
      if (isPast(row)) return { items }
      if (items.length === limit) return { items, next: cursorOf(after) }
      after = key(row)
      if (fits(row)) items.push(row)
    }
    if (rows.length < SLICE) return { items }
  }
  return { items, next: cursorOf(after) }
}
