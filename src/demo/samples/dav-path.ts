import type { IncomingMessage } from 'node:http'
import { Refusal } from './sample-server.ts'

/** The names from the root down; empty for the root. */
export type DavPath = readonly string[]

/** The names of a request path. Throws a 400 Refusal for what could mean different things to different readers. */
export function davPath(pathname: string): DavPath {
  const names = pathname.split('/').slice(1)
  if (names.at(-1) === '') names.pop()
  return names.map((name) => {
    const decoded = decodeName(name)
    if (decoded === '' || decoded === '.' || decoded === '..' || /[/\0]/.test(decoded)) {
      throw new Refusal(400, 'a name in this path is empty, dots, or holds a slash')
    }
    return decoded
  })
}

/** The path as it stands in an `href`; folders end with a slash. */
export function davHref(path: DavPath, isFolder: boolean): string {
  const joined = `/${path.map(encodeURIComponent).join('/')}`
  return isFolder && path.length > 0 ? `${joined}/` : joined
}

/** Where COPY and MOVE lead (RFC 4918 §10.3). Throws a Refusal: 400 for none, 502 for another server. */
export function destinationOf({ headers }: IncomingMessage): DavPath {
  const value = headers.destination
  if (typeof value !== 'string') throw new Refusal(400, 'say the Destination')
  if (value.startsWith('/') && !value.startsWith('//')) return davPath(value.replace(/[?#].*$/s, ''))
  const url = URL.parse(value)
  if (url === null) throw new Refusal(400, 'the Destination is no path and no URL')
  if (url.host !== headers.host) throw new Refusal(502, 'the Destination is on another server')
  return davPath(url.pathname)
}

/** Whether `path` is `top` or lies below it. */
export function isWithin(top: DavPath, path: DavPath): boolean {
  return top.length <= path.length && top.every((name, index) => name === path[index])
}

function decodeName(name: string): string {
  try {
    return decodeURIComponent(name)
  } catch {
    throw new Refusal(400, 'a percent escape in this path is broken')
  }
}
