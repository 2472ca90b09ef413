import type { UserRecord } from '../../store/store.ts'
import { siteOf } from '../context.ts'
import { keepDevice } from '../http/cookies.ts'
import { redirect, sendPage } from '../http/response.ts'
import { type EnrolPlace, type EnrolStep, takeEnrolment } from '../interaction/enrol-step.ts'
import { recoveryCodesPage } from '../pages/second-factor.ts'
import { browserPlace } from './passkey-ask.ts'
import { ACCOUNT_PATH, type AccountRequest } from './request.ts'

/** Where somebody who signs in to the account page adds the second factor that they must have. @param passedAt what the password was sealed for. */
export function enrolPlace(call: AccountRequest, passedAt: string): EnrolPlace {
  const { context, request, response, sessions } = call
  return {
    context,
    request,
    response,
    passedAt,
    place: browserPlace(call),
    target: (step) => ({ action: `${ACCOUNT_PATH}/${step}`, hidden: {} }),
    cancel: undefined,
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
export function enrolStep(step: EnrolStep, passedAt: string): (call: AccountRequest) => Promise<void> {
  return async (call) => {
    if (!(await takeEnrolment(enrolPlace(call, passedAt), step))) redirect(call.response, ACCOUNT_PATH)
  }
}
