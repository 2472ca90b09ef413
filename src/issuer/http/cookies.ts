import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Configuration } from 'oidc-provider'
import { ownCookieName, withoutDoubledOwnCookies } from '../../core/headers/own-cookies.ts'
import type { IssuerContext } from '../context.ts'
import { deriveKey } from '../keys/sealing.ts'

/** How one cookie is named on this origin. */
type CookieKind =
  | 'session'
  | 'interaction'
  | 'resume'
  | 'device'
  | 'attempt'
  | 'provider'
  | 'signed_out'
  | 'ceremony'
  | 'browser'

type Settings = Pick<IssuerContext, 'settings'>

const DAY_SECONDS = 86_400

/**
 * The cookie's name. On https a prefix makes browsers hold it to a secure origin; `__Host-` also to the whole of this one,
 * which the cookies of single interactions, with paths of their own, can't have. Plain http is for loopback only.
 */
export function cookieName(kind: CookieKind, origin: string): string {
  if (!isSecure(origin)) return ownCookieName(kind, 'plain')
  return ownCookieName(kind, WHOLE_HOST.has(kind) ? 'host' : 'secure')
}

const WHOLE_HOST: ReadonlySet<CookieKind> = new Set(['session', 'attempt', 'provider', 'signed_out'])

/** Whether cookies can be kept to https. */
export function isSecure(origin: string): boolean {
  return origin.startsWith('https:')
}

/** The library's cookies: signed, out of reach of scripts, and not sent along from other sites' forms. */
export function cookieSettings({ settings, masterKey }: IssuerContext): NonNullable<Configuration['cookies']> {
  const { origin } = settings()
  const options = { httpOnly: true, sameSite: 'lax', secure: isSecure(origin), signed: true, overwrite: true } as const
  return {
    names: {
      session: cookieName('session', origin),
      interaction: cookieName('interaction', origin),
      resume: cookieName('resume', origin),
    },
    long: { ...options, path: '/' },
    short: options,
    keys: [deriveKey(masterKey, 'cookies').toString('base64url')],
  }
}

/** The value of one of our cookies in a `Cookie` header; undefined where it is there twice. */
export function readCookie(header: string | undefined, name: string): string | undefined {
  for (const pair of withoutDoubledOwnCookies(header ?? '').split(';')) {
    const cut = pair.indexOf('=')
    if (cut !== -1 && pair.slice(0, cut).trim() === name) return pair.slice(cut + 1).trim()
  }
  return undefined
}

/** Adds a cookie to those that the answer sets already. */
export function appendCookie(response: ServerResponse, cookie: string): void {
  response.appendHeader('set-cookie', cookie)
}

const YEAR_SECONDS = 365 * 86_400
/** Where people type passwords, and nowhere else: what stands behind the gateway has no use for it. */
export const PASSWORD_PATHS = ['/oauth/interaction', '/account'] as const

/** Lets this device try again later without being slowed by what others try elsewhere. */
export function keepDevice({ settings }: IssuerContext, response: ServerResponse, deviceKey: string): void {
  const { origin } = settings()
  const secure = isSecure(origin) ? '; secure' : ''
  for (const path of PASSWORD_PATHS) {
    const rest = `path=${path}; max-age=${YEAR_SECONDS}; httponly; samesite=lax${secure}`
    appendCookie(response, `${cookieName('device', origin)}=${deviceKey}; ${rest}`)
  }
}

/** What {@link keepDevice} left with this device; whether it is genuine is NOT checked here. */
export function deviceKeyOf({ settings }: Settings, request: IncomingMessage): string | undefined {
  return readCookie(request.headers.cookie, cookieName('device', settings().origin))
}

/** Remembers with the browser which provider it was signed in by, for the order of the buttons; and that it is not signed out any more. */
export function keepProvider(context: Settings, response: ServerResponse, provider: string): void {
  set(context, response, 'provider', provider, YEAR_SECONDS)
  set(context, response, 'signed_out', '', 0)
}

/** From now on nobody is led to a provider without a click, until somebody has signed in: its session would sign them in again. */
export function noteSignedOut(context: Settings, response: ServerResponse): void {
  set(context, response, 'signed_out', '1', DAY_SECONDS)
}

/** Whether this browser was signed out last. */
export function wasSignedOut(context: Settings, request: IncomingMessage): boolean {
  return readCookie(request.headers.cookie, cookieName('signed_out', context.settings().origin)) === '1'
}

function set({ settings }: Settings, response: ServerResponse, kind: CookieKind, value: string, seconds: number): void {
  const { origin } = settings()
  const secure = isSecure(origin) ? '; secure' : ''
  appendCookie(
    response,
    `${cookieName(kind, origin)}=${value}; path=/; max-age=${seconds}; httponly; samesite=lax${secure}`,
  )
}
