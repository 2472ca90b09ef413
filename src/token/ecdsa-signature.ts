const SEQUENCE = 0x30
const INTEGER = 0x02
/** Longer contents have their length in a byte after this one. */
const LONG_FORM = 0x81
const LONGEST_SHORT_FORM = 0x7f

/**
 * An ECDSA signature as JWS has it, both numbers at their full length (RFC 7518 §3.4), in the form of X.509 (RFC 3279 §2.2.3). Undefined when
 * the length is another. Does NOT judge the numbers: that they are in range is for the verification to see.
 * @param numberBytes Of the curve's order: 66 at most.
 */
export function ecdsaSignature(signature: Uint8Array, numberBytes: number): Uint8Array | undefined {
  const end = 2 * numberBytes
  if (signature.length !== end) return undefined
  const r = significant(signature, 0, numberBytes)
  const s = significant(signature, numberBytes, end)
  const contents = integerBytes(signature, r, numberBytes) + integerBytes(signature, s, end)
  const isLong = contents > LONGEST_SHORT_FORM
  const der = new Uint8Array((isLong ? 3 : 2) + contents)
  der[0] = SEQUENCE
  der[1] = isLong ? LONG_FORM : contents
  if (isLong) der[2] = contents
  const at = putInteger(der, isLong ? 3 : 2, signature, r, numberBytes)
  putInteger(der, at, signature, s, end)
  return der
}

/** Where the number that ends before `end` begins, without leading zeros; a zero itself keeps one. */
function significant(bytes: Uint8Array, from: number, end: number): number {
  let start = from
  while (start < end - 1 && bytes[start] === 0) start += 1
  return start
}

/** With tag and length, and a zero before what would else read as negative. */
function integerBytes(bytes: Uint8Array, start: number, end: number): number {
  return 2 + end - start + (isHigh(bytes, start) ? 1 : 0)
}

/** Where the next one goes. */
function putInteger(der: Uint8Array, at: number, bytes: Uint8Array, start: number, end: number): number {
  const length = integerBytes(bytes, start, end)
  der[at] = INTEGER
  der[at + 1] = length - 2
  // Byte by byte: views of so few cost more than the bytes do.
  for (let from = end - 1, to = at + length - 1; from >= start; from -= 1, to -= 1) der[to] = bytes[from] ?? 0
  return at + length
}

function isHigh(bytes: Uint8Array, at: number): boolean {
  return (bytes[at] ?? 0) > LONGEST_SHORT_FORM
}
