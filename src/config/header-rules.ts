import { cgiName } from '../core/headers/fields.ts'
import type { HeaderSource } from '../core/route.ts'
import { faulty, type Parsed, parsed } from './schema/leaf.ts'

// Framing and hop-by-hop fields are the forwarder's: a text from the file would let two readers see two messages.
const FRAMING = new Set(
  [
    ...[
      'Host',
      'Content-Length',
      'Transfer-Encoding',
      'Connection',
      'Keep-Alive',
      'TE',
      'Trailer',
      'Upgrade',
      'Expect',
    ],
    ...['Proxy-Connection', 'Proxy-Authenticate', 'HTTP2-Settings'],
  ].map(cgiName),
)

// Made anew for every request from what is known of the client.
const MADE_HERE = new Set(
  ['X-Forwarded-For', 'X-Forwarded-Host', 'X-Forwarded-Proto', 'X-Forwarded-Prefix', 'X-Request-Id', 'Via'].map(
    cgiName,
  ),
)

const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/
const FIELD_VALUE = /^[\x20-\x7e\t]*$/

/** The name of a field that the client must not send (RFC 9110 §5.1); those that frame the message can't be left out. */
export function parseStrippedName(text: string): Parsed<string> {
  if (!FIELD_NAME.test(text)) return faulty('must be a header name such as X-Api-Key')
  return FRAMING.has(cgiName(text)) ? faulty(`can't be ${text}: it belongs to the connection`) : parsed(text)
}

/** The name of a field that the gateway adds. */
export function parseAddedName(text: string): Parsed<string> {
  const name = parseStrippedName(text)
  if (!name.ok || !MADE_HERE.has(cgiName(text))) return name
  return faulty(`can't be set: the gateway makes it itself from what it knows of the client`)
}

/** A fixed text for a header: printable ASCII, so that every server reads the same. */
export function parseHeaderText(text: string): Parsed<string> {
  if (/[\r\n]/.test(text)) return faulty('must not hold a line break')
  if (!FIELD_VALUE.test(text)) return faulty('must be printable ASCII; percent-encode the rest')
  if (text === '') return faulty('must not be empty')
  return text.trim() === text ? parsed(text) : faulty('must not begin or end with a space')
}

/** `claim:NAME`, or a fixed text. The header's name is the key in the file. */
export function parseHeaderSource(text: string): Parsed<{ readonly claim: string } | { readonly text: string }> {
  if (!text.startsWith('claim:')) {
    const fixed = parseHeaderText(text)
    return fixed.ok ? parsed({ text: fixed.value }) : fixed
  }
  const claim = text.slice('claim:'.length)
  return claim.trim() === claim && claim !== '' && !/\p{Cc}/u.test(claim)
    ? parsed({ claim })
    : faulty('must name a claim after `claim:`, for example claim:tenant')
}

/** Puts the key of the file and what stands beside it together. */
export function headerSource(
  name: string,
  source: { readonly claim: string } | { readonly text: string },
): HeaderSource {
  return { name, ...source }
}
