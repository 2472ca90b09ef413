/**
 * What kind of request asks, as far as its answer depends on it when nothing counts: who can follow a redirect, who shows a page, who would open a
 * password dialog. `page`: a page load · `frame`: one inside a page · `form`: a page load that brings a body · `document`: what may become a
 * document or a file · `script`: a page's own request · `drive`: WebDAV · `program`: everything else.
 */
export type RequestKind =
  | 'prefetch'
  | 'socket'
  | 'drive'
  | 'page'
  | 'frame'
  | 'form'
  | 'document'
  | 'script'
  | 'program'

/** The fields that the kind is told by; of several fields of one name the last. */
interface Signs {
  readonly fetchMode: string | undefined
  readonly fetchDestination: string | undefined
  /** Some `Sec-Fetch-*` came: a browser, at a trustworthy origin. */
  readonly fetchMetadata: boolean
  readonly namesHtml: boolean
  readonly origin: boolean
  readonly requestedWith: boolean
  readonly prefetch: boolean
  readonly upgrade: boolean
  readonly dav: boolean
}

const FRAMES: ReadonlySet<string> = new Set(['iframe', 'frame', 'embed', 'object'])
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD'])
/** No drive asks by these: HTTP's own, and those of caches and of UPnP that its parsers know. A plain OPTIONS is a drive's first. */
const PLAIN: ReadonlySet<string> = new Set([
  ...['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'TRACE', 'CONNECT', 'QUERY'],
  ...['PURGE', 'SOURCE', 'M-SEARCH', 'NOTIFY', 'SUBSCRIBE', 'UNSUBSCRIBE'],
])

/** The kind of a request: the first that fits (Fetch Metadata Request Headers §2; older browsers by `Accept`). */
export function requestKind(method: string, rawHeaders: readonly string[]): RequestKind {
  const signs = readSigns(rawHeaders)
  const { fetchMode, fetchMetadata, fetchDestination: destination, namesHtml, origin } = signs
  const navigates = fetchMode === 'navigate'
  if (signs.prefetch) return 'prefetch'
  if (signs.upgrade) return 'socket'
  if ((!PLAIN.has(method) || signs.dav) && !fetchMetadata && !origin) return 'drive'
  if (method === 'GET' && navigates && destination === 'document') return 'page'
  if (method === 'GET' && !fetchMetadata && namesHtml && !signs.requestedWith) return 'page'
  if (destination !== undefined && FRAMES.has(destination)) return 'frame'
  if (!SAFE.has(method) && (navigates || (!fetchMetadata && namesHtml))) return 'form'
  if ((method === 'GET' && navigates && destination === 'empty') || namesHtml) return 'document'
  return fetchMetadata || origin || signs.requestedWith ? 'script' : 'program'
}

/** Whether a person's browser shows what comes back: never asked for a password by a dialog of its own. */
export function isBrowsers(kind: RequestKind): boolean {
  return kind !== 'drive' && kind !== 'program'
}

/** Whether `Accept` names HTML at all (RFC 9110 §12.5.1). */
export function namesHtml(accept: string): boolean {
  return accept.split(',').some((range) => {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase())
    return type === 'text/html' && !parameters.some((parameter) => /^q=0(?:\.0*)?$/.test(parameter))
  })
}

function readSigns(rawHeaders: readonly string[]): Signs {
  let accept = ''
  let fetchMetadata = false
  const last = new Map<string, string>()
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] ?? '').toLowerCase()
    if (name === 'accept') accept += `,${rawHeaders[i + 1]}`
    if (name.startsWith('sec-fetch-')) fetchMetadata = true
    if (NAMES.has(name)) last.set(name, rawHeaders[i + 1] ?? '')
  }
  return {
    fetchMode: last.get('sec-fetch-mode'),
    fetchDestination: last.get('sec-fetch-dest'),
    fetchMetadata,
    namesHtml: namesHtml(accept),
    origin: last.has('origin'),
    requestedWith: last.has('x-requested-with'),
    prefetch: /(?:^|[\s;,])prefetch(?:$|[\s;,])/i.test(last.get('sec-purpose') ?? ''),
    upgrade: last.has('upgrade'),
    dav: last.has('depth') || last.has('translate'),
  }
}

const NAMES: ReadonlySet<string> = new Set([
  ...['sec-fetch-mode', 'sec-fetch-dest', 'sec-purpose', 'origin', 'x-requested-with'],
  ...['upgrade', 'depth', 'translate'],
])
