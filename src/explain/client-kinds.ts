/** What kind of client is thought of as asking. */
export type ClientKind = keyof typeof FIELDS

type Field = readonly [name: string, value: string]

const PAGE = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'

function metadata(site: string, mode: string, destination: string, accept: string): readonly Field[] {
  return [
    ['Accept', accept],
    ['Sec-Fetch-Site', site],
    ['Sec-Fetch-Mode', mode],
    ['Sec-Fetch-Dest', destination],
  ]
}

// As current browsers send them at a trustworthy origin (Fetch Metadata Request Headers §2), from a page of the same origin.
const FIELDS = {
  page: metadata('none', 'navigate', 'document', PAGE),
  frame: metadata('same-origin', 'navigate', 'iframe', PAGE),
  form: metadata('same-origin', 'navigate', 'document', PAGE),
  download: metadata('same-origin', 'navigate', 'empty', PAGE),
  fetch: metadata('same-origin', 'cors', 'empty', '*/*'),
  image: metadata('same-origin', 'no-cors', 'image', 'image/avif,image/webp,image/*,*/*;q=0.8'),
  socket: [
    ...metadata('same-origin', 'websocket', 'empty', '*/*'),
    ['Connection', 'Upgrade'],
    ['Upgrade', 'websocket'],
    ['Sec-WebSocket-Version', '13'],
    ['Sec-WebSocket-Key', 'AAAAAAAAAAAAAAAAAAAAAA=='],
  ],
  drive: [
    ['Accept', '*/*'],
    ['Depth', '0'],
  ],
  program: [['Accept', '*/*']],
} as const satisfies Readonly<Record<string, readonly Field[]>>

const READS: ReadonlySet<string> = new Set(['GET', 'HEAD'])

/** Every kind, as it is written. */
export const CLIENT_KINDS: readonly string[] = Object.keys(FIELDS)

/** Whether there is such a kind. */
export function isClientKind(text: string): text is ClientKind {
  return Object.hasOwn(FIELDS, text)
}

/** The fields that a client of this kind sends besides Host and its credential, as raw pairs. @param origin Of the page that asks. */
export function fieldsOf(kind: ClientKind, method: string, origin: string): readonly string[] {
  const fields: readonly Field[] = FIELDS[kind]
  const isBrowsers = kind !== 'drive' && kind !== 'program'
  const namesOrigin = kind === 'socket' || (isBrowsers && !READS.has(method))
  return [...fields.flat(), ...(namesOrigin ? ['Origin', origin] : [])]
}
