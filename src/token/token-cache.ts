import { ownText } from '../core/headers/fields.ts'

/** Values by long keys whose ends differ, as those of signed tokens do; bounded in number and bytes. */
interface BoundedCache<Value> {
  get(key: string): Value | undefined
  set(key: string, value: Value): void
  delete(key: string): void
  readonly size: number
}

interface Entry<Value> {
  readonly key: string
  readonly value: Value
}

interface CacheHalf<Value> {
  /** By the keys' ends; who finds an entry compares the key. */
  readonly entries: Map<string, Entry<Value>>
  bytes: number
}

/** An entry's share beyond its key's length: parsed claims, lists, map slot. Guessed high for usual tokens. */
const ENTRY_BYTES = 1024
const BYTES_PER_CHARACTER = 4
/** Half of an ES256 signature: as good as the whole key for telling tokens apart, and a fraction of the hashing. */
const END_CHARACTERS = 43

/**
 * Remembers about the `maxEntries` most recently used, in two generations: what is used moves to the young one, and when that is full
 * the old one is dropped. A hit in the young generation writes nothing, unlike in a list by recency. Never holds more than
 * `maxEntries` and about `maxBytes`.
 */
export function createBoundedCache<Value>(maxEntries: number, maxBytes: number): BoundedCache<Value> {
  let young: CacheHalf<Value> = { entries: new Map(), bytes: 0 }
  let old: CacheHalf<Value> = { entries: new Map(), bytes: 0 }
  const set = (key: string, value: Value): void => {
    const own = ownText(key)
    remember(own.slice(-END_CHARACTERS), { key: own, value })
  }
  const remember = (end: string, entry: Entry<Value>): void => {
    const { key } = entry
    const bytes = ENTRY_BYTES + key.length * BYTES_PER_CHARACTER
    if (bytes > maxBytes / 2 || maxEntries < 2) return
    if (young.entries.size + 1 > maxEntries / 2 || young.bytes + bytes > maxBytes / 2) {
      old = young
      young = { entries: new Map(), bytes: 0 }
    }
    young.entries.set(end, entry)
    young.bytes += bytes
  }
  return {
    get: (key) => {
      const end = key.slice(-END_CHARACTERS)
      const recent = young.entries.get(end)
      if (recent?.key === key) return recent.value
      const older = old.entries.get(end)
      if (older?.key !== key) return undefined
      old.entries.delete(end)
      remember(end, older)
      return older.value
    },
    set,
    delete: (key) => {
      const end = key.slice(-END_CHARACTERS)
      if (young.entries.get(end)?.key === key) young.entries.delete(end)
      if (old.entries.get(end)?.key === key) old.entries.delete(end)
    },
    get size() {
      return young.entries.size + old.entries.size
    },
  }
}
