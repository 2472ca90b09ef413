const NAME = 'traceparent'
/** W3C Trace Context, section 3.2: version, trace id, parent id, flags; later versions may say more behind them. */
const VALUE = /^(?!ff)([0-9a-f]{2})-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$/
const KNOWN_LENGTH = 55

/**
 * The `traceparent` of a request, as far as the first version defines it; undefined when there is none, several, or what is none. It passes
 * through like any field: this is for the log.
 * @param rawHeaders names and values in turn.
 */
export function traceparentOf(rawHeaders: readonly string[]): string | undefined {
  let found: string | undefined
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]
    if (name?.length !== NAME.length || name.toLowerCase() !== NAME) continue
    if (found !== undefined) return undefined
    found = rawHeaders[i + 1] ?? ''
  }
  const [whole, version, more] = found === undefined ? [] : (VALUE.exec(found) ?? [])
  return version === '00' && more !== undefined ? undefined : whole?.slice(0, KNOWN_LENGTH)
}
