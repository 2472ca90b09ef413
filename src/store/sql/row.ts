import { StoreError } from '../store.ts'

/** What a column may hold. Numbers are whole: fractions are cut off on the way in. Text has no U+0000. */
export type SqlValue = string | number | null

/** One row as the database answers it. */
export type Row = Readonly<Record<string, unknown>>

/** Text of a column; throws when the database holds something else there. */
export function text(row: Row, column: string): string {
  const value = row[column]
  if (typeof value === 'string') return value
  throw new TypeError(`column ${column} holds no text`)
}

/** Text, or undefined for NULL. */
export function optionalText(row: Row, column: string): string | undefined {
  return row[column] === null ? undefined : text(row, column)
}

/** An integer within JavaScript's safe range; throws for anything else. */
export function integer(row: Row, column: string): number {
  const value = row[column]
  if (typeof value === 'number') return value
  throw new TypeError(`column ${column} holds no number`)
}

/** An integer, or undefined for NULL. */
export function optionalInteger(row: Row, column: string): number | undefined {
  return row[column] === null ? undefined : integer(row, column)
}

/** 0 and 1 as a fact. */
export function fact(row: Row, column: string): boolean {
  return integer(row, column) === 1
}

/** One of `allowed`; throws for any other text. */
export function oneOf<T extends string>(row: Row, column: string, allowed: readonly T[]): T {
  const value = text(row, column)
  const found = allowed.find((candidate) => candidate === value)
  if (found !== undefined) return found
  throw new TypeError(`column ${column} holds an unknown value`)
}

/** A list of strings kept as JSON. */
export function strings(row: Row, column: string): readonly string[] {
  const value: unknown = JSON.parse(text(row, column))
  if (Array.isArray(value) && value.every((member) => typeof member === 'string')) return value
  throw new TypeError(`column ${column} holds no list of strings`)
}

/** An object kept as JSON. Its members are NOT checked. */
export function object(row: Row, column: string): Record<string, unknown> {
  const value: unknown = JSON.parse(text(row, column))
  if (isObject(value)) return value
  throw new TypeError(`column ${column} holds no object`)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A condition and the values of its placeholders. */
export interface Where {
  readonly sql: string
  readonly values: readonly string[]
}

/** ANDs `column = value` for each value that is given; `true` for none, so callers that must not match all check first. */
export function whereAll(columns: Readonly<Record<string, string | undefined>>): Where {
  const given = Object.entries(columns).filter((entry): entry is [string, string] => entry[1] !== undefined)
  if (given.length === 0) return { sql: 'true', values: [] }
  return { sql: given.map(([column]) => `${column} = ?`).join(' AND '), values: given.map(([, value]) => value) }
}

/**
 * Values as columns take them: fractions of a number are cut off. Throws StoreError for text with U+0000, which some databases
 * refuse and others cut the text at.
 */
export function storable(values: readonly SqlValue[]): SqlValue[] {
  if (hasNul(values)) throw new StoreError('store: a text with U+0000 can’t be kept', 'leave that character out')
  return values.map(whole)
}

/** A number without its fraction; whatever else it is as it is. */
export function whole(value: SqlValue): SqlValue {
  return typeof value === 'number' ? Math.floor(value) : value
}

/** Whether one of them is a text with U+0000: nothing that is kept equals it. */
export function hasNul(values: readonly SqlValue[]): boolean {
  return values.some((value) => typeof value === 'string' && value.includes('\0'))
}
