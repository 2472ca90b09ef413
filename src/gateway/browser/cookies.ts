import { ownCookieName, withoutDoubledOwnCookies } from '../../core/headers/own-cookies.ts'
import { isSecure, type Policy } from '../policy.ts'

/** `web`: the session · `flow`: binds sign-ins to the browser that began them. */
type BrowserCookie = 'web' | 'flow'

const ID = /^[A-Za-z0-9_-]{22,43}$/

/** The value of a cookie of ours; undefined for none, for two of one name, and for what is none of ours by its form. */
export function readBrowserCookie(
  policy: Policy,
  rawHeaders: readonly string[],
  kind: BrowserCookie,
): string | undefined {
  const field = cookieField(rawHeaders)
  if (field === undefined || !field.includes('audgate_')) return undefined
  const name = nameOf(policy, kind)
  for (const pair of withoutDoubledOwnCookies(field).split(';')) {
    const cut = pair.indexOf('=')
    if (cut === -1 || pair.slice(0, cut).trim() !== name) continue
    const value = pair.slice(cut + 1).trim()
    return ID.test(value) ? value : undefined
  }
  return undefined
}

/** A `Set-Cookie` value. Scripts never read it, and no other host. @param maxAgeSeconds 0 removes it. */
export function setBrowserCookie(policy: Policy, kind: BrowserCookie, value: string, maxAgeSeconds: number): string {
  const secure = isSecure(policy) ? '; Secure' : ''
  return `${nameOf(policy, kind)}=${value}; Path=/; Max-Age=${maxAgeSeconds}; HttpOnly; SameSite=Lax${secure}`
}

function nameOf(policy: Policy, kind: BrowserCookie): string {
  return ownCookieName(kind, isSecure(policy) ? 'host' : 'plain')
}

/** HTTP/2 front ends may split the field (RFC 9113 §8.2.3). */
function cookieField(rawHeaders: readonly string[]): string | undefined {
  let field: string | undefined
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? ''
    if (name.length !== 6 || name.toLowerCase() !== 'cookie') continue
    field = field === undefined ? (rawHeaders[i + 1] ?? '') : `${field}; ${rawHeaders[i + 1]}`
  }
  return field
}
