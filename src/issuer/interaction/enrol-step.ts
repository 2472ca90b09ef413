import type { IncomingMessage, ServerResponse } from 'node:http'
import type { UserRecord } from '../../store/store.ts'
import { type IssuerContext, siteOf } from '../context.ts'
import { PASSED_FIELD, type PassedAt, passedPassword, personBehind } from '../http/passed-password.ts'
import { issuerRequestOf } from '../http/request.ts'
import type { FormTarget } from '../pages/form.ts'
import { errorPage } from '../pages/message.ts'
import { enrolPage } from '../pages/second-factor.ts'
import { mustEnrolPage } from '../pages/unmet.ts'
import { sealedSecret, sealSecret } from '../people/enrolment.ts'
import { AUTHENTICATOR } from '../people/factor-removal.ts'
import { METHODS, mustHaveSecond } from '../people/factor-rules.ts'
import { deviceLabel } from '../tokens/authorization-label.ts'
import { CEREMONY_FIELD, PASSKEY_FIELD } from './passkey-step.ts'

/** Forms between the password and the sign-in. */
export type EnrolStep = 'enrol-app' | 'enrol-app-confirm' | 'enrol-passkey'

/** Where somebody adds the second factor that they must have. */
export interface EnrolPlace {
  readonly context: IssuerContext
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** What a right password is sealed for. */
  readonly passedAt: PassedAt
  /** What names this sign-in and its browser. */
  readonly place: string
  target(step: EnrolStep): FormTarget
  readonly cancel: FormTarget | undefined
  send(status: 200 | 400 | 403, page: string): void
  /** Signs the person in, once the codes, if there are any, have been shown. */
  done(user: UserRecord, amr: readonly string[], codes: readonly string[] | undefined): Promise<void>
}

interface PassedPlace extends EnrolPlace {
  /** That the right password came before. */
  readonly passed: string
}

const WRONG = 'That is not the code of this moment. Type the one that the app shows now.'
const REFUSED = 'That passkey was not accepted. Try again.'

/** After an operator took the last factor away, a password alone must not bring another one in. */
export const BY_LINK = {
  title: 'This needs a link',
  what: 'Your second factor was removed by whoever runs this service. A new one can’t be added by the password alone.',
  advice: 'Ask them for a recovery link: it lets you add a new one.',
} as const

/** Whether somebody whose password was right has to add a second factor before anything else. */
export async function mustEnrol({ settings, secondFactors }: IssuerContext, user: UserRecord): Promise<boolean> {
  return mustHaveSecond(settings().secondFactor, user.groups) && !(await secondFactors.has(user.sub))
}

/** Shows what can be added, to somebody whose password was right in the request in hand. */
export async function showEnrolment(place: EnrolPlace, user: UserRecord): Promise<void> {
  const { context, request, passedAt } = place
  await showWays({ ...place, passed: await passedPassword(context, request, user, passedAt) }, user)
}

async function showWays(place: PassedPlace, user: UserRecord, problem?: string): Promise<void> {
  const { context } = place
  if (await context.store.isFactorReset(user.sub)) {
    return place.send(403, errorPage({ site: siteOf(context), ...BY_LINK, code: undefined, requestId: undefined }))
  }
  const ceremony = context.passkeys.offered() ? await context.passkeys.beginAdding(user, place.place) : undefined
  const page = mustEnrolPage({
    site: siteOf(context),
    account: user,
    passkey: ceremony && {
      form: passedForm(place, 'enrol-passkey', { [CEREMONY_FIELD]: ceremony.sealed }),
      options: ceremony.options,
      kind: 'create',
    },
    app: context.settings().authenticator ? passedForm(place, 'enrol-app') : undefined,
    problem,
    cancel: place.cancel,
  })
  place.send(problem === undefined ? 200 : 400, page)
}

/** Carries a form out; false, and nothing answered, where the password is too long ago or there is a factor by now. */
export async function takeEnrolment(place: EnrolPlace, step: EnrolStep): Promise<boolean> {
  const { context, request } = place
  const passed = issuerRequestOf(request).form.get(PASSED_FIELD) ?? ''
  const user = await personBehind(context, passed, place.passedAt)
  if (user === undefined || !(await mustEnrol(context, user))) return false
  if (await context.store.isFactorReset(user.sub)) await showWays({ ...place, passed }, user)
  else await ENROL[step]({ ...place, passed }, user)
  return true
}

const ENROL: Readonly<Record<EnrolStep, (place: PassedPlace, user: UserRecord) => Promise<void>>> = {
  'enrol-app': async (place, user) => {
    if (!place.context.settings().authenticator) return showWays(place, user)
    showApp(place, user, place.context.secondFactors.makeSecret(), undefined)
  },
  'enrol-app-confirm': confirmApp,
  'enrol-passkey': confirmPasskey,
}

async function confirmApp(place: PassedPlace, user: UserRecord): Promise<void> {
  const { context, request } = place
  const { form } = issuerRequestOf(request)
  const secret = sealedSecret(context, form.get('enrolment') ?? '', place.place, user.sub)
  if (secret === undefined || !context.settings().authenticator) return showWays(place, user)
  const made = await context.secondFactors.enrol(user.sub, secret, form.get('code') ?? '')
  if (made === 'wrong') return showApp(place, user, secret, WRONG)
  if (made === 'there') return showWays(place, user)
  await noteAdded(place, user, { factor: AUTHENTICATOR })
  await place.done(user, METHODS.code, made)
}

async function confirmPasskey(place: PassedPlace, user: UserRecord): Promise<void> {
  const { context, request } = place
  const { form } = issuerRequestOf(request)
  const answer = {
    place: place.place,
    sealed: form.get(CEREMONY_FIELD) ?? '',
    response: form.get(PASSKEY_FIELD) ?? '',
  }
  const added = await context.passkeys.add(user, answer, deviceLabel(request.headers['user-agent']))
  if (added.kind !== 'added') return showWays(place, user, REFUSED)
  await noteAdded(place, user, { factor: 'passkey', id: added.passkey.id })
  await place.done(user, METHODS.passkey, await context.secondFactors.makeCodes(user.sub))
}

async function noteAdded({ context, request }: EnrolPlace, { sub }: UserRecord, what: object): Promise<void> {
  const { address } = issuerRequestOf(request)
  await context.record('factor.added', { sub, ...what, by: sub, address })
  await context.record('login.success', { sub, ...what, address })
}

function showApp(place: PassedPlace, user: UserRecord, secret: string, problem: string | undefined): void {
  const { context } = place
  const enrolment = sealSecret(context, secret, place.place, user.sub)
  const page = enrolPage({
    site: siteOf(context),
    form: passedForm(place, 'enrol-app-confirm', { enrolment }),
    account: user,
    secret,
    uri: context.secondFactors.uri(secret, user.username, siteOf(context)),
    problem,
    cancelUrl: undefined,
  })
  place.send(problem === undefined ? 200 : 400, page)
}

/** The password's time stays, however many steps follow. */
function passedForm(
  { target, passed }: PassedPlace,
  step: EnrolStep,
  fields: Readonly<Record<string, string>> = {},
): FormTarget {
  const { action, hidden } = target(step)
  return { action, hidden: { ...hidden, ...fields, [PASSED_FIELD]: passed } }
}
