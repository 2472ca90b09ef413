import type { UserRecord } from '../../store/store.ts'
import { type IssuerContext, siteOf } from '../context.ts'
import { issuerRequestOf } from '../http/request.ts'
import { redirect, sendPage } from '../http/response.ts'
import { enrolPage, type FactorsModel, recoveryCodesPage } from '../pages/second-factor.ts'
import { sealedSecret, sealSecret } from '../people/enrolment.ts'
import { AUTHENTICATOR } from '../people/factor-removal.ts'
import { hasSecond } from '../people/factor-rules.ts'
import type { FactorStanding } from '../people/second-factors.ts'
import { isFresh, mayAddFactor } from './freshness.ts'
import { ACCOUNT_PATH, accountForm, posted, type SignedInRequest } from './request.ts'

const WRONG = 'That is not the code of this moment. Type the one that the app shows now.'

/** What the account page says of the app and the recovery codes; undefined where there are none to be had. */
export async function factorsOf(visit: SignedInRequest): Promise<FactorsModel | undefined> {
  const { context, session } = visit
  const { user } = session
  const standing = await context.secondFactors.standing(user.sub)
  const second = hasSecond(standing)
  const offers = offersApp(context, user)
  if (!second && !offers) return undefined
  return {
    second: secondOf(standing),
    passwordless: user.passwordHash === undefined,
    remove: standing.app ? accountForm(visit, 'factor-remove', { factor: AUTHENTICATOR }) : undefined,
    add: offers ? accountForm(visit, 'authenticator-add') : undefined,
    codes:
      second && user.passwordHash !== undefined
        ? { left: standing.codes, make: accountForm(visit, 'recovery-codes') }
        : undefined,
  }
}

function secondOf({ app, passkeys }: FactorStanding): FactorsModel['second'] {
  if (app) return passkeys.length > 0 ? 'both' : 'app'
  return passkeys.length > 0 ? 'passkey' : 'none'
}

/** Whether the person may add an app: it comes after a password. */
function offersApp({ settings }: IssuerContext, { passwordHash }: UserRecord): boolean {
  return settings().authenticator && passwordHash !== undefined
}

/** Begins to add an authenticator app, or to put one in the place of another: nothing is kept before it has shown a code. */
export async function addAuthenticator(visit: SignedInRequest): Promise<void> {
  const { context, session } = visit
  if (!offersApp(context, session.user)) return redirect(visit.response, ACCOUNT_PATH)
  if ((await isFresh(visit)) && (await mayAddFactor(visit)))
    showEnrolment(visit, context.secondFactors.makeSecret(), 200, undefined)
}

/** Puts the app in force that has shown its first code. */
export async function confirmAuthenticator(visit: SignedInRequest): Promise<void> {
  const { context, session } = visit
  const { sub } = session.user
  const secret = sealedSecret(context, posted(visit, 'enrolment'), placeOf(visit), sub)
  if (secret === undefined || !offersApp(context, session.user)) return redirect(visit.response, ACCOUNT_PATH)
  if (!(await isFresh(visit)) || !(await mayAddFactor(visit))) return
  const code = posted(visit, 'code')
  const { app, codes } = await context.secondFactors.standing(sub)
  const made = app
    ? await context.secondFactors.replace(sub, secret, code)
    : await context.secondFactors.enrol(sub, secret, code, codes > 0)
  if (made === 'wrong') return showEnrolment(visit, secret, 400, WRONG)
  if (made === 'there' || made === 'gone') return redirect(visit.response, ACCOUNT_PATH)
  const detail = { sub, factor: AUTHENTICATOR, by: sub, ...from(visit), ...(app && { replaced: true }) }
  await context.record('factor.added', detail)
  if (made === 'replaced' || made.length === 0) return redirect(visit.response, ACCOUNT_PATH)
  showCodes(visit, made)
}

/** Makes new recovery codes, and shows them this once. */
export async function makeRecoveryCodes(visit: SignedInRequest): Promise<void> {
  const { context, session } = visit
  if (!(await isFresh(visit))) return
  const { sub, passwordHash } = session.user
  const codes = passwordHash === undefined ? undefined : await context.secondFactors.makeCodes(sub)
  if (codes === undefined) return redirect(visit.response, ACCOUNT_PATH)
  await context.record('recovery_codes.made', { sub, by: sub, ...from(visit) })
  showCodes(visit, codes)
}

function showEnrolment(visit: SignedInRequest, secret: string, status: 200 | 400, problem: string | undefined): void {
  const { context, session, response } = visit
  const { user } = session
  const enrolment = sealSecret(context, secret, placeOf(visit), user.sub)
  const page = enrolPage({
    site: siteOf(context),
    form: accountForm(visit, 'authenticator-confirm', { enrolment }),
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
