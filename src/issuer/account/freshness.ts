import { LEVELS } from '../../core/levels.ts'
import { seconds, siteOf } from '../context.ts'
import { sendPage } from '../http/response.ts'
import { BY_LINK, needsLink } from '../interaction/enrol-step.ts'
import { errorPage } from '../pages/message.ts'
import { signInPage } from '../pages/sign-in.ts'
import { FRESH_SECONDS, isBest } from '../people/factor-rules.ts'
import { accountPasskeyAsk } from './enrolment.ts'
import { ACCOUNT_PATH, type SignedInRequest } from './request.ts'

const STALE =
  'This needs a sign-in of the last 10 minutes, in the best way that your account has. Sign in again, then go on.'

/** Whether the session in hand still stands: a step may wait for seconds, and an act may have ended the session meanwhile. */
export async function stillStands({ request, response, session, sessions }: SignedInRequest): Promise<boolean> {
  return (await sessions.current(request, response))?.uid === session.uid
}

/** Whether the session comes from the best way to sign in that the account has. */
export async function isStrongest({ context, session }: SignedInRequest): Promise<boolean> {
  const standing = await context.secondFactors.standing(session.user.sub)
  const level = LEVELS.find((each) => each === session.acr)
  return isBest(level, standing, context.passkeys.offered())
}

/**
 * Whether the session comes from a sign-in of the last ten minutes at the best level that the account has. If not, asks for one; nothing is
 * done then.
 */
export async function isFresh(call: SignedInRequest): Promise<boolean> {
  const { context, session, response } = call
  if ((await isStrongest(call)) && seconds(context) - session.signedInAt <= FRESH_SECONDS) return true
  const { passkeys } = await context.secondFactors.standing(session.user.sub)
  const page = signInPage({
    site: siteOf(context),
    // Not a remembered browser's word, which is a password's.
    form: { action: `${ACCOUNT_PATH}/sign-in`, hidden: { full: 'yes' } },
    client: undefined,
    resources: [],
    username: session.user.username,
    problem: STALE,
    password: session.user.passwordHash === undefined || context.settings().password === 'off' ? 'none' : 'shown',
    passkey: passkeys.length === 0 ? undefined : await accountPasskeyAsk(call, session.user.sub),
    providers: context.federation
      .choices(call.request)
      .map(({ id, name }) => ({ name, url: `/oauth/providers/${id}/start` })),
  })
  sendPage(response, 403, page)
  return false
}

/** Whether the person may add a factor by what they are signed in with. If not, says what would do; nothing is done then. */
export async function mayAddFactor({ context, session, response }: SignedInRequest): Promise<boolean> {
  const { sub } = session.user
  if (!(await needsLink(context, sub))) return true
  sendPage(response, 403, errorPage({ site: siteOf(context), ...BY_LINK, code: undefined, requestId: undefined }))
  return false
}
