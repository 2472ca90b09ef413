import { parseAddress } from './address.ts'

/**
 * Whom an address stands for when tries are counted or shared out. A subscriber is handed a whole IPv6 network: `narrow` is the /64 of one
 * link, `wide` the /56 of one household. For IPv4 both are the address.
 */
export interface AddressGroup {
  readonly narrow: string
  readonly wide: string
}

/** The groups of an address in any usual spelling; what is no address is a group of its own. */
export function addressGroup(text: string): AddressGroup {
  const address = parseAddress(text)
  if (address === undefined) return { narrow: text, wide: text }
  if (address.family === 4) {
    const whole = address.parts.join('.')
    return { narrow: whole, wide: whole }
  }
  const [a = 0, b = 0, c = 0, d = 0] = address.parts
  const network = (last: number, bits: number): string =>
    `${[a, b, c, last].map((part) => part.toString(16)).join(':')}::/${bits}`
  return { narrow: network(d, 64), wide: network(d & 0xff00, 56) }
}
