import type { Draft } from './draft.ts'
import type { FILE } from './file-schema.ts'
import type { Problems } from './problems.ts'
import { type Path, placeOfKey, placeOfValue, quoted, type SourceNode, writtenAt } from './source.ts'

export type FileDraft = Draft<typeof FILE>
export type ResourceDraft = Item<NonNullable<FileDraft['resources']>>
export type RouteDraft = Item<NonNullable<FileDraft['routes']>>

type Item<List extends readonly unknown[]> = NonNullable<List[number]>

/** What the checks over several keys work with. */
export interface Checking {
  readonly draft: FileDraft
  /** Reports at the value of `path`, or at the nearest thing around it. */
  at(path: Path, message: string): void
  /** Reports at the key of `path`. */
  atKey(path: Path, message: string): void
  /** The text of `path` as it stands in the file, in backticks: what the environment gave is never shown. */
  shown(path: Path): string
  /** Line of the value of `path`, to point at it from elsewhere. */
  line(path: Path): number
}

export function createChecking(draft: FileDraft, root: SourceNode, problems: Problems): Checking {
  return {
    draft,
    at: (path, message) => problems.add(placeOfValue(root, path), message),
    atKey: (path, message) => problems.add(placeOfKey(root, path), message),
    shown: (path) => quoted(writtenAt(root, path)),
    line: (path) => problems.lineOf(placeOfValue(root, path)),
  }
}

/** The members of a list that could be read, each with its index in the file. */
export function present<T>(list: readonly (T | undefined)[] | undefined): readonly (readonly [number, T])[] {
  return [...(list ?? []).entries()].filter((entry): entry is [number, T] => entry[1] !== undefined)
}

/**
 * Reports each member whose `keyOf` an earlier member has.
 * @param message Takes the line of the earlier one.
 */
export function reportDoubles<T>(
  checking: Checking,
  list: readonly (readonly [Path, T])[],
  keyOf: (member: T) => string | undefined,
  message: (line: number) => string,
): void {
  const seen = new Map<string, Path>()
  for (const [path, member] of list) {
    const key = keyOf(member)
    if (key === undefined) continue
    const earlier = seen.get(key)
    if (earlier === undefined) seen.set(key, path)
    else checking.at(path, message(checking.line(earlier)))
  }
}
