/**
 * Puts every resource tag of an `If` field (RFC 4918 §10.4.2) through `map`; lists of conditions pass as they are. What `map` answers other
 * than a text is the result. Undefined for a field that is neither lists nor tagged lists.
 */
export function rewriteTags<Fault extends object>(
  value: string,
  map: (reference: string) => string | Fault,
): string | Fault | undefined {
  let out = ''
  let lists = 0
  for (let at = 0; at < value.length; ) {
    const char = value[at]
    const end = char === '<' ? value.indexOf('>', at) + 1 : char === '(' ? listEnd(value, at) : at + 1
    if (end === 0 || (char !== '<' && char !== '(' && char !== ' ' && char !== '\t')) return undefined
    const piece = value.slice(at, end)
    const mapped = char === '<' ? map(piece.slice(1, -1)) : piece
    if (typeof mapped === 'object') return mapped
    out += char === '<' ? `<${mapped}>` : mapped
    if (char === '(') lists += 1
    at = end
  }
  return lists > 0 ? out : undefined
}

/** Behind the `)` of the list at `from`; 0 when it has none. Brackets and quotes may hold any of these characters. */
function listEnd(value: string, from: number): number {
  for (let at = from + 1; at < value.length; at++) {
    const char = value[at]
    if (char === ')') return at + 1
    if (char === '(') return 0
    const close = char === '<' ? '>' : char === '"' ? '"' : undefined
    if (close === undefined) continue
    at = value.indexOf(close, at + 1)
    if (at === -1) return 0
  }
  return 0
}
