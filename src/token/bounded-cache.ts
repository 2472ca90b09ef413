/** Values by long keys, bounded in number and bytes. */
export interface BoundedCache<Value> {
  get(key: string): Value | undefined
  set(key: string, value: Value): void
  delete(key: string): void
  readonly size: number
}

interface Generation<Value> {
  readonly entries: Map<string, Value>
  bytes: number
}

/** An entry's share beyond its key's length: parsed claims, lists, map slot. Guessed high for usual tokens. */
const ENTRY_BYTES = 1024
const BYTES_PER_CHARACTER = 4

/**
 * Remembers about the `maxEntries` most recently used, in two generations: what is used moves to the young one, and when that is full
 * the old one is dropped. A hit in the young generation writes nothing, unlike in a list by recency. Never holds more than
 * `maxEntries` and about `maxBytes`.
 */
export function createBoundedCache<Value>(maxEntries: number, maxBytes: number): BoundedCache<Value> {
  let young: Generation<Value> = { entries: new Map(), bytes: 0 }
  let old: Generation<Value> = { entries: new Map(), bytes: 0 }
  const set = (key: string, value: Value): void => {
    const bytes = ENTRY_BYTES + key.length * BYTES_PER_CHARACTER
    if (bytes > maxBytes / 2 || maxEntries < 2) return
    if (young.entries.size + 1 > maxEntries / 2 || young.bytes + bytes > maxBytes / 2) {
      old = young
      young = { entries: new Map(), bytes: 0 }
    }
    young.entries.set(key, value)
    young.bytes += bytes
  }
  return {
    get: (key) => {
      const value = young.entries.get(key)
      if (value !== undefined) return value
      const older = old.entries.get(key)
      if (older === undefined) return undefined
      old.entries.delete(key)
      set(key, older)
      return older
    },
    set,
    delete: (key) => {
      young.entries.delete(key)
      old.entries.delete(key)
    },
    get size() {
      return young.entries.size + old.entries.size
    },
  }
}
