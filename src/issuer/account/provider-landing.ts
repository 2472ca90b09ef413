import type { IssuerContext } from '../context.ts'
import type { Landing } from '../federation/landing.ts'
import { redirect } from '../http/response.ts'
import { interactionPath } from '../interaction/context.ts'
import { keepSignedIn } from '../interaction/provider-sign-in.ts'
import { ACCOUNT_PATH, leadBack } from './request.ts'
import type { BrowserSessions } from './sessions.ts'

/** What goes on at the account page when somebody comes back from a provider. */
export function accountLanding(
  context: IssuerContext,
  sessions: BrowserSessions,
): Omit<Landing, 'interaction' | 'unproven'> {
  return {
    account: async ({ request, response }, login) => {
      const { authTime, amr, acr } = login.authentication
      const begun = await sessions.begin(request, response, login.sub, amr, { authTime, acr, signIn: login.signIn })
      if (!begun) return redirect(response, `${ACCOUNT_PATH}?problem=state_mismatch`)
      await keepSignedIn(context, login, response)
      redirect(response, ACCOUNT_PATH)
    },
    problem: ({ response }, uid, reason) => {
      redirect(response, `${uid === undefined ? ACCOUNT_PATH : interactionPath(uid)}?problem=${reason}`)
    },
    connected: (call, outcome, provider, sub) => {
      leadBack({ ...call, context, sessions }, { kind: 'connected', outcome, provider, atMs: context.now() }, sub)
    },
    session: async ({ request, response }) => {
      const session = await sessions.current(request, response)
      return session && { uid: session.uid, sub: session.user.sub }
    },
  }
}
