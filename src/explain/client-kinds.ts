import type { RequestHead } from '../gateway/request-head.ts'

/** What kind of client is thought of as asking. */
export type ClientKind = keyof typeof FIELDS

type Field = readonly [name: string, value: string]

const PAGE = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'

/** Who is thought of as asking. */
export interface Asker {
  readonly token?: string | undefined
  readonly address?: string | undefined
  /** Default: nothing says what kind of client it is. */
  readonly as?: ClientKind | undefined
  /** Whose page asks, where a browser does. */
  readonly from?: Site | undefined
}

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

/** Whose page asks, as browsers tell it. */
export type Site = keyof typeof PAGES_OF

const PAGES_OF = {
  'same-origin': undefined,
  // One host at two ports is one site.
  'same-site': ':1',
  'cross-site': 'https://elsewhere.example',
} as const

/** Every site, as it is written. */
export const SITES: readonly string[] = Object.keys(PAGES_OF)

export function isSite(text: string): text is Site {
  return Object.hasOwn(PAGES_OF, text)
}

/**
 * The fields that a client of this kind sends besides Host and its credential, as raw pairs. @param origin Of what is asked.
 * @param site Whose page asks; undefined: the person, or a page of the same origin.
 */
export function fieldsOf(kind: ClientKind, method: string, origin: string, site?: Site): readonly string[] {
  const fields: readonly Field[] = FIELDS[kind]
  const isBrowsers = kind !== 'drive' && kind !== 'program'
  const namesOrigin = kind === 'socket' || (isBrowsers && !READS.has(method))
  const told = fields.map(([name, value]) => [name, name === 'Sec-Fetch-Site' ? (site ?? value) : value])
  return [...told.flat(), ...(namesOrigin ? ['Origin', asker(origin, site)] : [])]
}

/**
 * The head of a request that is only thought of; undefined where the URL or the method is none. The URL is taken apart and not normalized: what
 * its path means is what is asked. @param origin What a path alone is below.
 */
export function headOf(
  origin: string,
  method: string,
  url: string,
  { token, address = '127.0.0.1', as, from }: Asker = {},
): RequestHead | undefined {
  const full = url.startsWith('/') ? `${origin}${url}` : url
  const [, scheme = '', authority = '', target = ''] = /^(https?):\/\/([^/?#]+)(.*)$/i.exec(full) ?? []
  if (authority === '' || !/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(method)) return undefined
  return {
    method,
    target: target.startsWith('/') ? target : `/${target}`,
    rawHeaders: [
      ...['Host', authority],
      ...(as === undefined ? [] : fieldsOf(as, method, `${scheme}://${authority}`.toLowerCase(), from)),
      ...(token === undefined ? [] : ['Authorization', `Bearer ${token}`]),
    ],
    httpVersion: '1.1',
    peerAddress: address,
    tls: scheme.toLowerCase() === 'https',
  }
}

function asker(origin: string, site: Site | undefined): string {
  const page = site === undefined ? undefined : PAGES_OF[site]
  if (page === undefined) return origin
  return page.startsWith(':') ? `${origin.replace(/:\d+$/, '')}${page}` : page
}
