import type { IncomingMessage, ServerResponse } from 'node:http'
import type { IssuerContext } from '../context.ts'
import { appendCookie, type CookieKind, cookieName, isSecure, readCookie } from './cookies.ts'

type Settings = Pick<IssuerContext, 'settings'>

const YEAR_SECONDS = 365 * 86_400
const DAY_SECONDS = 86_400

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
