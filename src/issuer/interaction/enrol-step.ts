import type { IncomingMessage, ServerResponse } from 'node:http'
import type { UserRecord } from '../../store/store.ts'
import { type IssuerContext, siteOf } from '../context.ts'
import { PASSED_FIELD, type PassedAt, passedPassword, personBehind } from '../http/passed-password.ts'
import { issuerRequestOf } from '../http/request.ts'
import type { FormTarget } from '../pages/form.ts'
import { errorPage } from '../pages/message.ts'
import type { PasskeyForm } from '../pages/passkey.ts'
import { enrolPage } from '../pages/second-factor.ts'
import { mustEnrolPage } from '../pages/unmet.ts'
import { sealedSecret, sealSecret } from '../people/enrolment.ts'
import { AUTHENTICATOR } from '../people/factor-removal.ts'
import { METHODS, mustHaveSecond } from '../people/factor-rules.ts'
import { deviceLabel } from '../tokens/authorization-label.ts'
import { CEREMONY_FIELD, PASSKEY_FIELD } from './passkey-step.ts'

/** Forms between the password and the sign-in. */
export type EnrolStep = 'enrol-app' | 'enrol-app-confirm' | 'enrol-passkey'

/** Which factors somebody may add. */
export interface EnrolWays {
  readonly app: boolean
  readonly passkey: boolean
}

/** The forms that add them; undefined: that can't be had. */
export interface EnrolOffer {
  readonly app: FormTarget | undefined
  readonly passkey: PasskeyForm | undefined
  /** What was wrong with the form before. */
  readonly problem: string | undefined
}

/** Where somebody adds the factor that they lack for what they came for. */
export interface EnrolPlace {
  readonly context: IssuerContext
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** What the proof that they signed in here is sealed for. */
  readonly passedAt: PassedAt
  /** What names this sign-in and its browser. */
  readonly place: string
  target(step: EnrolStep): FormTarget
  /** What they may add, judged anew for each form; undefined: nothing is lacking, or it can't be added here. */
  ways(user: UserRecord): Promise<EnrolWays | undefined>
  /** The page that offers it. */
  page(user: UserRecord, offer: EnrolOffer): string
  send(status: 200 | 400 | 403, page: string): void
  /** Signs the person in, once the codes, if there are any, have been shown. */
  done(user: UserRecord, amr: readonly string[], codes: readonly string[] | undefined): Promise<void>
}

interface PassedPlace extends EnrolPlace {
  /** That they signed in here before. */
  readonly passed: string
  readonly open: EnrolWays
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

/** What must be added by whoever must have a second factor and has none. */
export async function requiredWays(context: IssuerContext, user: UserRecord): Promise<EnrolWays | undefined> {
  if (!(await mustEnrol(context, user))) return undefined
  return { app: context.settings().authenticator, passkey: context.passkeys.offered() }
}

/** The page for them. @param cancel gives up; undefined: there is no way around it. */
export function requiredPage(
  context: IssuerContext,
  account: UserRecord,
  offer: EnrolOffer,
  cancel: FormTarget | undefined,
): string {
  return mustEnrolPage({ site: siteOf(context), account, ...offer, cancel })
}

/** Whether an operator took the last factor away, so that the next one comes by a link alone. */
export async function needsLink({ store, secondFactors }: IssuerContext, sub: string): Promise<boolean> {
  return (await store.isFactorReset(sub)) && !(await secondFactors.has(sub))
}

/** Shows what can be added, to somebody who is known to have signed in by the request in hand. False, and nothing answered: nothing can. */
export async function showEnrolment(place: EnrolPlace, user: UserRecord): Promise<boolean> {
  const { context, request, passedAt } = place
  const open = await place.ways(user)
  if (open === undefined) return false
  await showWays({ ...place, open, passed: await passedPassword(context, request, user, passedAt) }, user)
  return true
}

async function showWays(place: PassedPlace, user: UserRecord, problem?: string): Promise<void> {
  const { context } = place
  if (await needsLink(context, user.sub)) {
    return place.send(403, errorPage({ site: siteOf(context), ...BY_LINK, code: undefined, requestId: undefined }))
  }
  const ceremony = place.open.passkey ? await context.passkeys.beginAdding(user, place.place) : undefined
  const page = place.page(user, {
    passkey: ceremony && {
      form: passedForm(place, 'enrol-passkey', { [CEREMONY_FIELD]: ceremony.sealed }),
      options: ceremony.options,
      kind: 'create',
    },
    app: place.open.app ? passedForm(place, 'enrol-app') : undefined,
    problem,
  })
  place.send(problem === undefined ? 200 : 400, page)
}

/** Carries a form out; false, and nothing answered, where the sign-in is too long ago or nothing is lacking by now. */
export async function takeEnrolment(place: EnrolPlace, step: EnrolStep): Promise<boolean> {
  const { context, request } = place
  const passed = issuerRequestOf(request).form.get(PASSED_FIELD) ?? ''
  const user = await personBehind(context, passed, place.passedAt)
  const open = user && (await place.ways(user))
  if (user === undefined || open === undefined) return false
  if (!(await needsLink(context, user.sub))) return ENROL[step]({ ...place, open, passed }, user)
  await showWays({ ...place, open, passed }, user)
  return true
}

const ENROL: Readonly<Record<EnrolStep, (place: PassedPlace, user: UserRecord) => Promise<boolean>>> = {
  'enrol-app': async (place, user) => {
    if (place.open.app) showApp(place, user, place.context.secondFactors.makeSecret(), undefined)
    else await showWays(place, user)
    return true
  },
  'enrol-app-confirm': confirmApp,
  'enrol-passkey': confirmPasskey,
}

async function confirmApp(place: PassedPlace, user: UserRecord): Promise<boolean> {
  const { context, request } = place
  const { form } = issuerRequestOf(request)
  const secret = sealedSecret(context, form.get('enrolment') ?? '', place.place, user.sub)
  if (secret === undefined || !place.open.app) return showWaysAgain(place, user)
  const { codes } = await context.secondFactors.standing(user.sub)
  const made = await whilePassed(place, user, () =>
    context.secondFactors.enrol(user.sub, secret, form.get('code') ?? '', codes > 0),
  )
  if (made === undefined) return false
  if (made === 'there') return showWaysAgain(place, user)
  if (made === 'wrong') showApp(place, user, secret, WRONG)
  else {
    await noteAdded(place, user, { factor: AUTHENTICATOR })
    await place.done(user, METHODS.code, made.length > 0 ? made : undefined)
  }
  return true
}

async function confirmPasskey(place: PassedPlace, user: UserRecord): Promise<boolean> {
  const { context, request } = place
  const { form } = issuerRequestOf(request)
  if (!place.open.passkey) return showWaysAgain(place, user)
  const { codes } = await context.secondFactors.standing(user.sub)
  const answer = {
    place: place.place,
    sealed: form.get(CEREMONY_FIELD) ?? '',
    response: form.get(PASSKEY_FIELD) ?? '',
  }
  const name = deviceLabel(request.headers['user-agent'])
  const done = await whilePassed(place, user, async () => {
    const added = await context.passkeys.add(user, answer, name)
    // Recovery codes come after a password; those that there are stand.
    const wanted = added.kind === 'added' && codes === 0 && user.passwordHash !== undefined
    return { added, made: wanted ? await context.secondFactors.makeCodes(user.sub) : undefined }
  })
  if (done === undefined) return false
  const { added, made } = done
  if (added.kind !== 'added') return showWaysAgain(place, user, REFUSED)
  await noteAdded(place, user, { factor: 'passkey', id: added.passkey.id })
  await place.done(user, METHODS.passkey, made)
  return true
}

async function showWaysAgain(place: PassedPlace, user: UserRecord, problem?: string): Promise<true> {
  await showWays(place, user, problem)
  return true
}

/** Does `work` while the sign-in before it stands; undefined, and nothing done: an act of revocation has ended it. */
async function whilePassed<T>({ context, passed, passedAt }: PassedPlace, { sub }: UserRecord, work: () => Promise<T>) {
  const done = await context.store.unit(
    async () => {
      await context.store.hold({ wholeSub: sub })
      return (await personBehind(context, passed, passedAt)) === undefined ? undefined : { result: await work() }
    },
    (result) => result !== undefined,
  )
  return done?.result
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

/** The sign-in's time stays, however many steps follow. */
function passedForm(
  { target, passed }: PassedPlace,
  step: EnrolStep,
  fields: Readonly<Record<string, string>> = {},
): FormTarget {
  const { action, hidden } = target(step)
  return { action, hidden: { ...hidden, ...fields, [PASSED_FIELD]: passed } }
}
