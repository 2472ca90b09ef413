import type { IncomingMessage, ServerResponse } from 'node:http'
import { appendCookie, cookieName, isSecure, readCookie } from './cookies.ts'
import type { IssuerContext } from './issuer-context.ts'

const YEAR_SECONDS = 365 * 86_400
/** Where people type passwords, and nowhere else: what stands behind the gateway has no use for it. */
const PATHS = ['/oauth/interaction', '/account']

/** Lets this device try again later without being slowed by what others try elsewhere. */
export function keepDevice({ settings }: IssuerContext, response: ServerResponse, deviceKey: string): void {
  const { origin } = settings()
  const secure = isSecure(origin) ? '; secure' : ''
  for (const path of PATHS) {
    const rest = `path=${path}; max-age=${YEAR_SECONDS}; httponly; samesite=lax${secure}`
    appendCookie(response, `${cookieName('device', origin)}=${deviceKey}; ${rest}`)
  }
}

/** What {@link keepDevice} left with this device; whether it is genuine is NOT checked here. */
export function deviceKeyOf({ settings }: IssuerContext, request: IncomingMessage): string | undefined {
  return readCookie(request.headers.cookie, cookieName('device', settings().origin))
}
