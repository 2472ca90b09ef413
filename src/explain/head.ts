import type { RequestHead } from '../gateway/request-head.ts'
import { type ClientKind, fieldsOf, type Site } from './client-kinds.ts'

/** Who is thought of as asking. */
export interface Asker {
  readonly token?: string | undefined
  readonly address?: string | undefined
  /** Default: nothing says what kind of client it is. */
  readonly as?: ClientKind | undefined
  /** Whose page asks, where a browser does. */
  readonly from?: Site | undefined
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
