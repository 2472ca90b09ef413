/** Two lists by the ids of their members. */
export interface Matched<T> {
  readonly added: readonly T[]
  readonly removed: readonly T[]
  readonly kept: readonly (readonly [before: T, after: T])[]
}

export function matchById<T>(before: readonly T[], after: readonly T[], idOf: (member: T) => string): Matched<T> {
  const old = new Map(before.map((member) => [idOf(member), member]))
  const now = new Set(after.map(idOf))
  return {
    added: after.filter((member) => !old.has(idOf(member))),
    removed: before.filter((member) => !now.has(idOf(member))),
    kept: after.flatMap((member) => {
      const earlier = old.get(idOf(member))
      return earlier === undefined ? [] : [[earlier, member] as const]
    }),
  }
}

/** The file's names of those settings that differ. @param names From our keys to the file's. */
export function changedNames<T, K extends keyof T & string>(
  before: T,
  after: T,
  names: Readonly<Record<K, string>>,
): string[] {
  const keys = Object.entries<string>(names).map(([key, name]) => ({ key: key as K, name }))
  return keys.filter(({ key }) => !isSame(before[key], after[key])).map(({ name }) => name)
}

/** Whether two values of a config say the same. Maps and lists in another order do not: order is meant. */
export function isSame(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a, spread) === JSON.stringify(b, spread)
}

/** `a, b and c`. */
export function listed(names: readonly string[]): string {
  const last = names.at(-1) ?? ''
  return names.length < 2 ? last : `${names.slice(0, -1).join(', ')} and ${last}`
}

function spread(_: string, value: unknown): unknown {
  if (value instanceof Map) return { map: [...value] }
  if (value instanceof Set) return { set: [...value] }
  return value
}
