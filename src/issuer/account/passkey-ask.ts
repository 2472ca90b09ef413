import { randomBytes } from 'node:crypto'
import { appendCookie, cookieName, isSecure, readCookie } from '../http/cookies.ts'
import { CEREMONY_FIELD } from '../interaction/passkey-step.ts'
import type { PasskeyForm } from '../pages/passkey.ts'
import { ACCOUNT_PATH, type AccountRequest } from './request.ts'

/** The form that signs in to the account page by a passkey; undefined where none is offered. @param sub whose; undefined: anybody's. */
export async function accountPasskeyAsk(
  call: AccountRequest,
  sub: string | undefined,
  more: Readonly<Record<string, string>> = {},
): Promise<PasskeyForm | undefined> {
  const { context } = call
  if (!context.passkeys.offered()) return undefined
  const { options, sealed } = await context.passkeys.beginSignIn(browserPlace(call), sub)
  const form = { action: `${ACCOUNT_PATH}/sign-in-passkey`, hidden: { ...more, [CEREMONY_FIELD]: sealed } }
  return { form, options, kind: 'get', again: sub === undefined ? ACCOUNT_PATH : undefined }
}

/** The browser in hand, by a cookie of its own: an answer that was asked for in another one is none. */
export function browserPlace({ context, request, response }: AccountRequest): string {
  const { origin } = context.settings()
  const name = cookieName('ceremony', origin)
  const known = readCookie(request.headers.cookie, name)
  if (known !== undefined && /^[\w-]{22}$/.test(known)) return `browser ${known}`
  const made = randomBytes(16).toString('base64url')
  const rest = `path=${ACCOUNT_PATH}; httponly; samesite=lax${isSecure(origin) ? '; secure' : ''}`
  appendCookie(response, `${name}=${made}; ${rest}`)
  return `browser ${made}`
}
