import { faulty, type Parsed, parsed } from './leaf.ts'

/** Whether a URL's host, as the URL standard writes it, can only be this machine: `localhost`, 127.0.0.0/8 or `[::1]`. */
export function isLoopbackHost(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname)
}

/**
 * An absolute http(s) URL in ASCII, without userinfo and fragment. The URL standard forgives a lot (spaces, `\`, one slash);
 * this does not: other readers of the same text would see something else.
 */
export function parseHttpUrl(text: string): Parsed<URL> {
  if (/[^\x21-\x7e]|[\\"<>^`{|}]/.test(text)) {
    return faulty('must be a URL of plain ASCII (percent-encode a path, write a host as xn--…)')
  }
  const url = /^https?:\/\/[^/?#]/i.test(text) && URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined) return faulty('must be an absolute http(s) URL such as https://gate.example.com')
  if (/^[^/]*\/\/[^/?#]*@/.test(text)) return faulty('must not carry a user name or password')
  return text.includes('#') ? faulty('must not have a fragment (#…)') : parsed(url)
}

/** A URL that may be http only where nobody can listen in: on loopback hosts. */
export function parseSafeUrl(text: string): Parsed<URL> {
  const result = parseHttpUrl(text)
  if (!result.ok || result.value.protocol === 'https:' || isLoopbackHost(result.value.hostname)) return result
  return faulty('must be https; http is accepted for localhost, 127.0.0.0/8 and [::1] only')
}

/** An origin: scheme, host and port, with at most a `/` behind. */
export function isBareOrigin(text: string): boolean {
  return /^https?:\/\/[^/?#]+\/?$/i.test(text)
}

/** Whether the path and query stand in `text` as the URL standard writes them: no dot segments, nothing left to encode. */
export function isTailNormal(text: string, { pathname, search }: URL): boolean {
  const tail = text.replace(/^[^/]*\/\/[^/?]*/, '')
  return tail === pathname + search || (pathname === '/' && tail === search)
}
