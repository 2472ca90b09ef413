import type { Answer } from '../../core/answer.ts'
import { type PageWords, renderPage } from '../../core/answer-page.ts'
import type { Denial } from '../../core/denial.ts'
import type { OwnRequest } from '../call.ts'
import type { BackChannel } from '../credentials/back-channel.ts'
import type { Credentials } from '../credentials/credentials.ts'

/** What the endpoints below `/.audgate` work with. */
export interface BrowserEndpointOptions {
  readonly credentials: Credentials
  readonly backChannel: BackChannel
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** One request to an endpoint, and what it is answered with. */
export interface BrowserCall extends BrowserEndpointOptions {
  readonly reserved: OwnRequest
}

/** What an endpoint says: an answer, or why not. */
export type BrowserAnswer =
  | { readonly answer: Answer; readonly denial?: Denial }
  | { readonly denial: Denial; readonly answer?: never }

/** A page of the gateway's own as an answer. @param further Raw pairs. */
export function ownPage(words: PageWords, isHead: boolean, further: readonly string[] = []): Answer {
  const page = renderPage(words)
  const headers = [
    ...['Content-Type', page.contentType, 'Content-Length', String(page.body.length), 'Cache-Control', 'no-store'],
    ...['X-Content-Type-Options', 'nosniff', 'Content-Security-Policy', page.contentSecurityPolicy],
    ...['Referrer-Policy', 'no-referrer'],
    ...further,
  ]
  return { status: words.status, headers, body: isHead ? '' : page.body }
}

/** A JSON document of the gateway's own. */
export function ownJson(document: Readonly<Record<string, unknown>>, isHead: boolean): Answer {
  // ASCII, so that it has as many bytes as characters.
  const body = `${JSON.stringify(document).replace(/[^\x00-\x7f]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)}\n`
  const headers = [
    'Content-Type',
    'application/json',
    'Content-Length',
    String(body.length),
    'Cache-Control',
    'no-store',
  ]
  return { status: 200, headers: [...headers, 'X-Content-Type-Options', 'nosniff'], body: isHead ? '' : body }
}
