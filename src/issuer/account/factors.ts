import type { UserRecord } from '../../store/store.ts'
import { type IssuerContext, seconds, siteOf } from '../context.ts'
import { issuerRequestOf } from '../http/request.ts'
import { redirect, sendPage } from '../http/response.ts'
import type { Notice } from '../pages/layout.ts'
import { enrolPage, type FactorsModel, recoveryCodesPage } from '../pages/second-factor.ts'
import { clockTime } from '../pages/words.ts'
import { sealedSecret, sealSecret } from '../people/enrolment.ts'
import { AUTHENTICATOR } from '../people/factor-removal.ts'
import { hasSecond } from '../people/factor-rules.ts'
import type { FactorStanding } from '../people/second-factors.ts'
import { isFresh, mayAddFactor, whileItStands } from './freshness.ts'
import { ACCOUNT_PATH, accountForm, posted, type SignedInRequest } from './request.ts'

const WRONG = 'That is not the code of this moment. Type the one that the app shows now.'

/** What the account page says of the app and the recovery codes; undefined where there are none to be had. */
export async function factorsOf(call: SignedInRequest): Promise<FactorsModel | undefined> {
  const { context, session } = call
  const { user } = session
  const standing = await context.secondFactors.standing(user.sub)
  const second = hasSecond(standing)
  const offers = offersApp(context, user)
  if (!second && !offers) return undefined
  return {
    second: secondOf(standing),
    passwordless: user.passwordHash === undefined,
    remove: standing.app ? accountForm(call, 'factor-remove', { factor: AUTHENTICATOR }) : undefined,
    add: offers ? accountForm(call, 'authenticator-add') : undefined,
    codes:
      second && user.passwordHash !== undefined
        ? { left: standing.codes, make: accountForm(call, 'recovery-codes') }
        : undefined,
  }
}

function secondOf({ app, passkeys }: FactorStanding): FactorsModel['second'] {
  if (app) return passkeys.length > 0 ? 'both' : 'app'
  return passkeys.length > 0 ? 'passkey' : 'none'
}

const TOLD_SECONDS = 30 * 86_400

/** That a recovery code was used, for as long as it may have been somebody else and no new ones were made. */
export async function recoveryNotices({ context, session }: SignedInRequest): Promise<readonly Notice[]> {
  const used = await context.store.recovery(session.user.sub)
  if (used === undefined || seconds(context) - used.at > TOLD_SECONDS) return []
  const when = clockTime(used.at * 1000)
  const text = `A recovery code was used at ${when}, from ${used.address}. If that wasn’t you, change your password and make new recovery codes.`
  return [{ kind: 'note', text }]
}

/** Whether the person may add an app: it comes after a password. */
function offersApp({ settings }: IssuerContext, { passwordHash }: UserRecord): boolean {
  return settings().authenticator && passwordHash !== undefined
}

/** Begins to add an authenticator app, or to put one in the place of another: nothing is kept before it has shown a code. */
export async function addAuthenticator(call: SignedInRequest): Promise<void> {
  const { context, session } = call
  if (!offersApp(context, session.user)) return redirect(call.response, ACCOUNT_PATH)
  if ((await isFresh(call)) && (await mayAddFactor(call)))
    showEnrolment(call, context.secondFactors.makeSecret(), 200, undefined)
}

/** Puts the app in force that has shown its first code. */
export async function confirmAuthenticator(call: SignedInRequest): Promise<void> {
  const { context, session } = call
  const { sub } = session.user
  const secret = sealedSecret(context, posted(call, 'enrolment'), placeOf(call), sub)
  if (secret === undefined || !offersApp(context, session.user)) return redirect(call.response, ACCOUNT_PATH)
  if (!(await isFresh(call)) || !(await mayAddFactor(call))) return
  const code = posted(call, 'code')
  const { app, codes } = await context.secondFactors.standing(sub)
  const made = await whileItStands(call, async () =>
    app ? context.secondFactors.replace(sub, secret, code) : context.secondFactors.enrol(sub, secret, code, codes > 0),
  )
  if (made === undefined) return
  if (made === 'wrong') return showEnrolment(call, secret, 400, WRONG)
  if (made === 'there' || made === 'gone') return redirect(call.response, ACCOUNT_PATH)
  const detail = { sub, factor: AUTHENTICATOR, by: sub, ...from(call), ...(app && { replaced: true }) }
  await context.record('factor.added', detail)
  if (made === 'replaced' || made.length === 0) return redirect(call.response, ACCOUNT_PATH)
  showCodes(call, made)
}

/** Makes new recovery codes, and shows them this once. */
export async function makeRecoveryCodes(call: SignedInRequest): Promise<void> {
  const { context, session } = call
  if (!(await isFresh(call))) return
  const { sub, passwordHash } = session.user
  if (passwordHash === undefined) return redirect(call.response, ACCOUNT_PATH)
  const codes = await whileItStands(call, async () => {
    const made = await context.secondFactors.makeCodes(sub)
    if (made === undefined) return 'none'
    await context.store.forgetRecovery(sub)
    await context.record('recovery_codes.made', { sub, by: sub, ...from(call) })
    return made
  })
  if (codes === undefined) return
  if (codes === 'none') return redirect(call.response, ACCOUNT_PATH)
  showCodes(call, codes)
}

function showEnrolment(call: SignedInRequest, secret: string, status: 200 | 400, problem: string | undefined): void {
  const { context, session, response } = call
  const { user } = session
  const enrolment = sealSecret(context, secret, placeOf(call), user.sub)
  const page = enrolPage({
    site: siteOf(context),
    form: accountForm(call, 'authenticator-confirm', { enrolment }),
    account: user,
    secret,
    uri: context.secondFactors.uri(secret, user.username, siteOf(context)),
    problem,
    cancelUrl: ACCOUNT_PATH,
  })
  sendPage(response, status, page)
}

/** An app is added for the session in hand. */
function placeOf({ session }: SignedInRequest): string {
  return `account ${session.uid}`
}

/** Shows recovery codes, this once. */
export function showCodes({ context, response }: SignedInRequest, codes: readonly string[]): void {
  sendPage(response, 200, recoveryCodesPage({ site: siteOf(context), codes, nextUrl: ACCOUNT_PATH }))
}

function from({ request }: SignedInRequest): { readonly address: string } {
  return { address: issuerRequestOf(request).address }
}
