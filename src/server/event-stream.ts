/** One server-sent event: `id`, `event` and `data` of a block. */
export interface ServerSentEvent {
  readonly id: string | undefined
  readonly event: string
  readonly data: string
}

/** A block that grows beyond this is no event of ours. */
const MAX_BLOCK_CHARACTERS = 65_536

/**
 * Splits text as it arrives into server-sent events (HTML, section 9.2.6; LF line ends and one data line, as we send them).
 * The function that it answers throws a RangeError when a block exceeds 64 Ki characters.
 */
export function eventStreamParser(onEvent: (event: ServerSentEvent) => void): (text: string) => void {
  let rest = ''
  return (text) => {
    rest += text
    for (let end = rest.indexOf('\n\n'); end !== -1; end = rest.indexOf('\n\n')) {
      const event = parseBlock(rest.slice(0, end))
      rest = rest.slice(end + 2)
      if (event !== undefined) onEvent(event)
    }
    if (rest.length > MAX_BLOCK_CHARACTERS) throw new RangeError('an event of the stream is too large')
  }
}

function parseBlock(block: string): ServerSentEvent | undefined {
  const fields = new Map<string, string>()
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':')
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1).trimStart())
  }
  const event = fields.get('event')
  return event === undefined ? undefined : { id: fields.get('id'), event, data: fields.get('data') ?? '' }
}
