import type { UserRecord } from '../../store/store.ts'
import { type IssuerContext, seconds, siteOf } from '../context.ts'
import { issuerRequestOf } from '../http/request.ts'
import { redirect, sendPage } from '../http/response.ts'
import { seal, unseal } from '../keys/sealing.ts'
import { enrolPage, type FactorsModel, recoveryCodesPage } from '../pages/second-factor.ts'
import { signInPage } from '../pages/sign-in.ts'
import { ask } from './confirmation.ts'
import { ACCOUNT_PATH, accountForm, isConfirmed, posted, type SignedInRequest } from './request.ts'

const FRESH_SECONDS = 600
const ENROLMENT_MS = 10 * 60_000
const PURPOSE = 'authenticator enrolment'
const WRONG = 'That is not the code of this moment. Type the one that the app shows now.'
const STALE =
  'This needs a sign-in of the last 10 minutes, in the best way that your account has. Sign in again, then go on.'

/** What the account page says of second factors; undefined where there are none to be had. */
export async function factorsOf(visit: SignedInRequest): Promise<FactorsModel | undefined> {
  const { context, session } = visit
  const { sub } = session.user
  const has = await context.secondFactors.has(sub)
  if (!has && !offersApp(context, session.user)) return undefined
  const app = has
    ? {
        remove: accountForm(visit, 'authenticator-remove'),
        newCodes: accountForm(visit, 'recovery-codes'),
        codesLeft: await context.store.recoveryCodes(sub),
      }
    : undefined
  return { app, add: accountForm(visit, 'authenticator-add') }
}

/** Whether the person may add an app: it comes after a password. */
function offersApp({ settings }: IssuerContext, { passwordHash }: UserRecord): boolean {
  return settings().authenticator && passwordHash !== undefined
}

/** Whether the session comes from the best way to sign in that the account has. */
export async function isStrongest({ context, session }: SignedInRequest): Promise<boolean> {
  return session.acr === 'mfa' || session.acr === 'phr' || !(await context.secondFactors.has(session.user.sub))
}

/**
 * Whether the session comes from a sign-in of the last ten minutes at the best level that the account has. If not, asks for one; nothing is
 * done then.
 */
export async function isFresh(visit: SignedInRequest): Promise<boolean> {
  const { context, session, response } = visit
  if ((await isStrongest(visit)) && seconds(context) - session.signedInAt <= FRESH_SECONDS) return true
  const page = signInPage({
    site: siteOf(context),
    form: { action: `${ACCOUNT_PATH}/sign-in`, hidden: {} },
    client: undefined,
    resources: [],
    username: session.user.username,
    problem: STALE,
  })
  sendPage(response, 403, page)
  return false
}

/** Begins to add an authenticator app: nothing is kept before it has shown a code. */
export async function addAuthenticator(visit: SignedInRequest): Promise<void> {
  const { context, session } = visit
  if (!offersApp(context, session.user) || (await context.secondFactors.has(session.user.sub)))
    return redirect(visit.response, ACCOUNT_PATH)
  if (await isFresh(visit)) showEnrolment(visit, context.secondFactors.makeSecret(), 200, undefined)
}

/** Adds the app that has shown its first code. */
export async function confirmAuthenticator(visit: SignedInRequest): Promise<void> {
  const { context, session } = visit
  const { sub } = session.user
  const secret = enrolledSecret(visit)
  if (secret === undefined || !offersApp(context, session.user)) return redirect(visit.response, ACCOUNT_PATH)
  if (!(await isFresh(visit))) return
  const made = await context.secondFactors.enrol(sub, secret, posted(visit, 'code'))
  if (made === 'wrong') return showEnrolment(visit, secret, 400, WRONG)
  if (made === 'there') return redirect(visit.response, ACCOUNT_PATH)
  await context.record('factor.added', { sub, factor: 'authenticator', by: sub, ...from(visit) })
  showCodes(visit, made)
}

/** Removes the app with its recovery codes, once the person has said so twice. */
export async function removeAuthenticator(visit: SignedInRequest): Promise<void> {
  const { context, session } = visit
  if (!(await isFresh(visit))) return
  if (!isConfirmed(visit)) {
    return ask(
      visit,
      'authenticator-remove',
      {},
      {
        question: 'Remove the authenticator app?',
        consequences: ['Your password alone opens your account then.', 'Your recovery codes open nothing any more.'],
        act: 'Remove',
      },
    )
  }
  const { sub } = session.user
  if (await context.secondFactors.remove(sub))
    await context.record('factor.removed', { sub, factor: 'authenticator', by: sub, ...from(visit) })
  return redirect(visit.response, ACCOUNT_PATH)
}

/** Makes new recovery codes, and shows them this once. */
export async function makeRecoveryCodes(visit: SignedInRequest): Promise<void> {
  const { context, session } = visit
  if (!(await isFresh(visit))) return
  const { sub } = session.user
  const codes = await context.secondFactors.makeCodes(sub)
  if (codes === undefined) return redirect(visit.response, ACCOUNT_PATH)
  await context.record('recovery_codes.made', { sub, by: sub, ...from(visit) })
  showCodes(visit, codes)
}

function showEnrolment(visit: SignedInRequest, secret: string, status: 200 | 400, problem: string | undefined): void {
  const { context, session, response } = visit
  const { user, uid } = session
  const said = JSON.stringify({ secret, uid, sub: user.sub, atMs: context.now() })
  const page = enrolPage({
    site: siteOf(context),
    form: accountForm(visit, 'authenticator-confirm', { enrolment: seal(context.masterKey, PURPOSE, said) }),
    account: user,
    secret,
    uri: context.secondFactors.uri(secret, user.username, siteOf(context)),
    problem,
  })
  sendPage(response, status, page)
}

/** The secret that this session was shown in the last ten minutes. */
function enrolledSecret(visit: SignedInRequest): string | undefined {
  const { context, session } = visit
  const text = unseal(context.masterKey, PURPOSE, posted(visit, 'enrolment'))
  if (text === undefined) return undefined
  const said: { secret: string; uid: string; sub: string; atMs: number } = JSON.parse(text)
  const own = said.uid === session.uid && said.sub === session.user.sub
  return own && context.now() - said.atMs <= ENROLMENT_MS ? said.secret : undefined
}

function showCodes({ context, response }: SignedInRequest, codes: readonly string[]): void {
  sendPage(response, 200, recoveryCodesPage({ site: siteOf(context), codes }))
}

function from({ request }: SignedInRequest): { readonly address: string } {
  return { address: issuerRequestOf(request).address }
}
