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
  if (signature.length !== 2 * numberBytes) return undefined
  const r = significant(signature.subarray(0, numberBytes))
  const s = significant(signature.subarray(numberBytes))
  const contents = integerBytes(r) + integerBytes(s)
  const head = contents > LONGEST_SHORT_FORM ? [SEQUENCE, LONG_FORM, contents] : [SEQUENCE, contents]
  const der = new Uint8Array(head.length + contents)
  der.set(head)
  putInteger(der, head.length, r)
  putInteger(der, head.length + integerBytes(r), s)
  return der
}

/** Without leading zeros; a zero itself keeps one. */
function significant(number: Uint8Array): Uint8Array {
  let start = 0
  while (start < number.length - 1 && number[start] === 0) start += 1
  return number.subarray(start)
}

/** With tag and length, and a zero before what would else read as negative. */
function integerBytes(number: Uint8Array): number {
  return 2 + number.length + (isHigh(number) ? 1 : 0)
}

function putInteger(der: Uint8Array, at: number, number: Uint8Array): void {
  der[at] = INTEGER
  der[at + 1] = integerBytes(number) - 2
  der.set(number, at + integerBytes(number) - number.length)
}

function isHigh(number: Uint8Array): boolean {
  return (number[0] ?? 0) > LONGEST_SHORT_FORM
}
