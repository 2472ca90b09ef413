/** The name that was probably meant: the one with the fewest edits, when those are few for its length. */
export function nearest(text: string, names: readonly string[]): string | undefined {
  // Nobody mistypes a name into something much longer, and the table below grows with the product of both lengths.
  if (text.length > 64) return undefined
  const folded = fold(text)
  const ranked = names.map((name) => ({ name, edits: editDistance(folded, fold(name)) }))
  const [best] = ranked.sort((a, b) => a.edits - b.edits)
  return best !== undefined && best.edits <= Math.max(1, Math.floor(best.name.length / 3)) ? best.name : undefined
}

/** `stripPath` and `strip-path` are `strip_path` to someone who types from memory. */
function fold(name: string): string {
  return name.toLowerCase().replace(/[-_ .]/g, '')
}

/** Insertions, deletions, replacements and swaps of neighbours. */
function editDistance(a: string, b: string): number {
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const next = [row]
    for (let column = 1; column <= b.length; column++) {
      const change = a[row - 1] === b[column - 1] ? 0 : 1
      const swapped = a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      next[column] = Math.min(
        (next[column - 1] ?? 0) + 1,
        (last[column] ?? 0) + 1,
        (last[column - 1] ?? 0) + change,
        swapped && row > 1 ? (before[column - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
      )
    }
    before = last
    last = next
  }
  return last[b.length] ?? 0
}
