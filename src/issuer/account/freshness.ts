import { LEVELS } from '../../core/levels.ts'
import { seconds, siteOf } from '../context.ts'
import { sendPage } from '../http/response.ts'
import { BY_LINK, needsLink } from '../interaction/enrol-step.ts'
import { errorPage } from '../pages/message.ts'
import { signInPage } from '../pages/sign-in.ts'
import { FRESH_SECONDS, isBest } from '../people/factor-rules.ts'
import { accountPasskeyAsk } from './enrolment.ts'
import { ACCOUNT_PATH, type AccountRequest, refuse, type SignedInRequest } from './request.ts'

const STALE =
  'This needs a sign-in of the last 10 minutes, in the best way that your account has. Sign in again, then go on.'

/** Whether the session in hand still stands: a step may wait for seconds, and an act may have ended the session meanwhile. */
export async function stillStands({ request, response, session, sessions }: SignedInRequest): Promise<boolean> {
  return (await sessions.current(request, response))?.uid === session.uid
}

/**
 * Does `work` while the session in hand stands: an act of revocation comes before all of it, and nothing is done then, or after it. A page that
 * says so has been sent where this is undefined. What `work` does to the store is kept together. @param otherwise What that page says.
 */
export async function whileItStands<T extends object | string>(
  call: SignedInRequest,
  work: () => Promise<T>,
  otherwise?: string,
): Promise<T | undefined> {
  const { store } = call.context
  const done = await store.unit(
    async () => {
      await store.hold({ wholeSub: call.session.user.sub })
      return (await stillStands(call)) ? { result: await work() } : undefined
    },
    (result) => result !== undefined,
  )
  if (done === undefined) sendSignedOut(call, otherwise)
  return done?.result
}

/** Says that nothing was done, because the session has ended meanwhile. */
export function sendSignedOut(call: AccountRequest, what = 'Nothing was changed here.'): void {
  refuse(call, 403, { title: 'You were signed out', what })
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
