import type { IncomingMessage, ServerResponse } from 'node:http'
import { isFromElsewhere, isGuarded } from '../http/form-guard.ts'
import { readBodyOrAnswer } from '../http/provider-request.ts'
import { issuerRequestOf, pathOf } from '../http/request.ts'
import { redirect } from '../http/response.ts'
import { mustEnrol } from '../interaction/enrol-step.ts'
import { onwardOf } from '../interaction/sign-out.ts'
import { makeOwnAppPassword, revokeOwnAppPassword } from './app-passwords.ts'
import { disownBrowser, endBrowser } from './browsers.ts'
import { disconnect, endDevice, signOutEverywhere } from './end-access.ts'
import { enrolStep } from './enrolment.ts'
import { removeOwnFactor } from './factor-remove.ts'
import { addAuthenticator, confirmAuthenticator, makeRecoveryCodes } from './factors.ts'
import { isLinkPath, showLink, useLink } from './link.ts'
import { DATA_PATH, sendMyData } from './my-data.ts'
import { mustChoosePassword, showOverview } from './overview.ts'
import { addPasskey, confirmPasskey, renamePasskey } from './passkeys.ts'
import { changePassword } from './password.ts'
import {
  ACCOUNT_PATH,
  type AccountParts,
  type AccountRequest,
  type AccountStep,
  guardedBy,
  refuse,
  type SignedInRequest,
} from './request.ts'
import type { BrowserSession } from './sessions.ts'
import { PLACE, showSignedOut, signIn, signInByCode, signInByPasskey, signOut } from './sign-in.ts'
import { connectProvider, unlinkProvider } from './ways-in.ts'

type Step = (call: SignedInRequest) => Promise<void>

const STEPS = new Map<string, Step>(
  Object.entries({
    'app-password': makeOwnAppPassword,
    'revoke-app-password': revokeOwnAppPassword,
    disconnect,
    unlink: unlinkProvider,
    'end-device': endDevice,
    'end-browser': endBrowser,
    'not-me': disownBrowser,
    'authenticator-add': addAuthenticator,
    'authenticator-confirm': confirmAuthenticator,
    'recovery-codes': makeRecoveryCodes,
    'passkey-add': addPasskey,
    'passkey-confirm': confirmPasskey,
    'passkey-rename': renamePasskey,
    'factor-remove': removeOwnFactor,
    password: changePassword,
    'sign-out': signOut,
    'sign-out-everywhere': signOutEverywhere,
  } satisfies Record<AccountStep, Step>),
)

/** What may be done before a new password is chosen, where one is due. */
const BEFORE_PASSWORD: ReadonlySet<string> = new Set<AccountStep>([
  'password',
  'end-browser',
  'not-me',
  'sign-out',
  'sign-out-everywhere',
])

/** For those who aren't signed in yet. */
const OPEN_STEPS: ReadonlyMap<string, (call: AccountRequest) => Promise<void>> = new Map([
  ['sign-in', signIn],
  ['sign-in-code', signInByCode],
  ['sign-in-passkey', signInByPasskey],
  ...(['enrol-app', 'enrol-app-confirm', 'enrol-passkey'] as const).map(
    (step) => [step, enrolStep(step, PLACE)] as const,
  ),
])

/**
 * Answers a request to the account page: who I am, what is connected to my account, and the ways to end it. The request must
 * have been opened ({@link issuerRequestOf}) and its body be unread. Throws what the store throws.
 */
export async function answerAccount(
  parts: AccountParts,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const call: AccountRequest = { ...parts, request, response }
  const path = pathOf(request)
  const act = OPEN_STEPS.get(path.slice(ACCOUNT_PATH.length + 1)) ?? ownStep(path)
  const reads = request.method === 'GET' || request.method === 'HEAD'
  if (path === ACCOUNT_PATH) return reads ? look(call) : refuseMethod(call, 'GET, HEAD')
  if (path === `${ACCOUNT_PATH}/connect`)
    return reads ? lookBeside(call, connectProvider) : refuseMethod(call, 'GET, HEAD')
  if (path === DATA_PATH) return reads ? lookBeside(call, sendMyData) : refuseMethod(call, 'GET, HEAD')
  if (isLinkPath(path)) return answerLink(call, path)
  if (act === undefined) return refuse(call, 404, { title: 'Nothing is here', what: 'This page does not exist.' })
  // Somebody reloads the page that a form's address answered with.
  if (reads) return redirect(response, ACCOUNT_PATH)
  if (request.method !== 'POST') return refuseMethod(call, 'GET, HEAD, POST')
  const body = await readBodyOrAnswer(request, response)
  if (body === undefined) return
  issuerRequestOf(request).form = new URLSearchParams(body.toString('utf8'))
  return isFromElsewhere(request, parts.context.settings().origin) ? refuseForged(call) : act(call)
}

/** Nobody need be signed in: the secret in the link is what counts. */
async function answerLink(call: AccountRequest, path: string): Promise<void> {
  const { request, response } = call
  if (request.method === 'GET' || request.method === 'HEAD') return showLink(call, path)
  if (request.method !== 'POST') return refuseMethod(call, 'GET, HEAD, POST')
  const body = await readBodyOrAnswer(request, response)
  if (body === undefined) return
  issuerRequestOf(request).form = new URLSearchParams(body.toString('utf8'))
  return useLink(call)
}

/** What is read beside the page itself; only for somebody to whom the page is open. */
async function lookBeside(call: AccountRequest, show: Step): Promise<void> {
  const session = await openSession(call)
  if (session === undefined || (await mustChoosePassword({ ...call, session })))
    return redirect(call.response, ACCOUNT_PATH)
  await show({ ...call, session })
}

async function look(call: AccountRequest): Promise<void> {
  const onward = onwardOf(call.context, call.request)
  if (onward !== undefined) return redirect(call.response, onward)
  const session = await openSession(call)
  return session === undefined ? showSignedOut(call) : showOverview({ ...call, session })
}

/** The session in hand; undefined too for one from before the person had to have a second factor: it opens nothing until there is one. */
async function openSession({
  context,
  request,
  response,
  sessions,
}: AccountRequest): Promise<BrowserSession | undefined> {
  const session = await sessions.current(request, response)
  const lacksSecond = session?.acr === 'pwd' && (await mustEnrol(context, session.user))
  return lacksSecond ? undefined : session
}

/** The step behind a form of the page; only for who is signed in and sends the page's own form. */
function ownStep(path: string): ((call: AccountRequest) => Promise<void>) | undefined {
  const name = path.slice(ACCOUNT_PATH.length + 1)
  const step = STEPS.get(name)
  if (step === undefined) return undefined
  return async (call) => {
    const { context, request, response } = call
    const session = await openSession(call)
    if (session === undefined) return redirect(response, ACCOUNT_PATH)
    if (!isGuarded(context.masterKey, guardedBy(session), issuerRequestOf(request).form)) return refuseForged(call)
    if (!BEFORE_PASSWORD.has(name) && (await mustChoosePassword({ ...call, session })))
      return redirect(response, ACCOUNT_PATH)
    await step({ ...call, session })
  }
}

function refuseMethod(call: AccountRequest, allow: string): void {
  call.response.setHeader('allow', allow)
  refuse(call, 405, { title: 'This can’t be done here', what: `The method is not one of ${allow}.` })
}

function refuseForged(call: AccountRequest): void {
  refuse(call, 403, {
    title: 'This form can’t be accepted',
    what: 'It was not sent by your account page, or belongs to a sign-in that is over. Nothing was changed.',
  })
}
