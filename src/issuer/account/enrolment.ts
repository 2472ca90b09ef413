import { randomBytes } from 'node:crypto'
import type { UserRecord } from '../../store/store.ts'
import { siteOf } from '../context.ts'
import { appendCookie, cookieName, isSecure, keepDevice, readCookie } from '../http/cookies.ts'
import type { PassedAt } from '../http/passed-password.ts'
import { redirect, sendPage } from '../http/response.ts'
import {
  type EnrolPlace,
  type EnrolStep,
  requiredPage,
  requiredWays,
  takeEnrolment,
} from '../interaction/enrol-step.ts'
import { CEREMONY_FIELD } from '../interaction/passkey-step.ts'
import type { PasskeyForm } from '../pages/passkey.ts'
import { recoveryCodesPage } from '../pages/second-factor.ts'
import { ACCOUNT_PATH, type AccountRequest } from './request.ts'

/** Where somebody who signs in to the account page adds the second factor that they must have. @param passedAt what the password was sealed for. */
export function enrolPlace(call: AccountRequest, passedAt: PassedAt): EnrolPlace {
  const { context, request, response, sessions } = call
  return {
    context,
    request,
    response,
    passedAt,
    place: browserPlace(call),
    target: (step) => ({ action: `${ACCOUNT_PATH}/${step}`, hidden: {} }),
    ways: (user) => requiredWays(context, user),
    page: (user, offer) => requiredPage(context, user, offer, undefined),
    send: (status, page) => sendPage(response, status, page),
    done: async (user: UserRecord, amr, codes) => {
      keepDevice(context, response, context.signIn.deviceKeyFor(user))
      if (!(await sessions.begin(request, response, user.sub, amr)) || codes === undefined)
        return redirect(response, ACCOUNT_PATH)
      sendPage(response, 200, recoveryCodesPage({ site: siteOf(context), codes, nextUrl: ACCOUNT_PATH }))
    },
  }
}

/** Carries out a form between the password and the account page; one that comes too late begins with the password again. */
export function enrolStep(step: EnrolStep, passedAt: PassedAt): (call: AccountRequest) => Promise<void> {
  return async (call) => {
    if (!(await takeEnrolment(enrolPlace(call, passedAt), step))) redirect(call.response, ACCOUNT_PATH)
  }
}

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
