import { grantableScopes } from '../../core/resource.ts'
import { type IssuerContext, seconds, siteOf } from '../context.ts'
import { isFromElsewhere } from '../http/form-guard.ts'
import { issuerRequestOf, queryOf } from '../http/request.ts'
import { redirect, sendPage } from '../http/response.ts'
import { CEREMONY_FIELD, PASSKEY_FIELD } from '../interaction/passkey-step.ts'
import { type LinkModel, linkPage } from '../pages/link.ts'
import { donePage, errorPage } from '../pages/message.ts'
import { LINK_FIELD, LINK_PATH, type LiveLink, linkDetail, liveLink } from '../people/links.ts'
import type { CeremonyAnswer } from '../people/passkeys.ts'
import { passwordProblem, passwordRules, shortestPassword } from '../people/password-judgement.ts'
import { deviceLabel } from '../tokens/authorization-label.ts'
import { type AccountRequest, posted } from './request.ts'

/** Where a used link leads; says nothing of whose it was. */
const DONE_PATH = `${LINK_PATH}/done`
const DIFFERENT = 'The two new passwords are not the same. Type both again.'
const BUSY_SECONDS = 3

/** Whether a path belongs to one-time links. */
export function isLinkPath(path: string): boolean {
  return path === LINK_PATH || path === DONE_PATH
}

/** Shows what a link is for. Mail scanners and previews fetch links, so this uses nothing up. */
export async function showLink(call: AccountRequest, path: string): Promise<void> {
  const { context, request, response } = call
  if (path === DONE_PATH) return sendPage(response, 200, donePage({ site: siteOf(context), ...DONE }))
  const secret = queryOf(request).get(LINK_FIELD) ?? ''
  const live = await liveLink(context.store, secret, context.settings().adminGroups, seconds(context))
  if (live === undefined) return showDead(call)
  return ask(call, live, secret, 200, {})
}

/** Sets the password, once. What the link's kind ends has ended then; nobody is signed in by it. */
export async function useLink(call: AccountRequest): Promise<void> {
  const { context, request, response } = call
  if (isFromElsewhere(request, context.settings().origin)) return showDead(call)
  const secret = posted(call, LINK_FIELD)
  const live = await liveLink(context.store, secret, context.settings().adminGroups, seconds(context))
  if (live === undefined) return showDead(call)
  if (posted(call, PASSKEY_FIELD) !== '') return useByPasskey(call, secret, live)
  const password = posted(call, 'new_password')
  const problem = await unfitness(context, live, password, posted(call, 'repeat_password'))
  if (problem !== undefined) return ask(call, live, secret, 400, { problem })
  const hash = await context.passwords.hash(password)
  if (hash === undefined) return ask(call, live, secret, 429, { busy: true })
  if (!(await settle(call, secret, live, { passwordHash: hash }))) return showDead(call)
  context.federation.wake()
  redirect(response, DONE_PATH)
}

/** Makes a passkey the way in, once; what follows is as with a password. One that is refused has used nothing up. */
async function useByPasskey(call: AccountRequest, secret: string, live: LiveLink): Promise<void> {
  const { context, request, response } = call
  const passkey = {
    place: placeOf(live),
    sealed: posted(call, CEREMONY_FIELD),
    response: posted(call, PASSKEY_FIELD),
  }
  const name = deviceLabel(request.headers['user-agent'])
  if ((await isBeside(context, live)) || !(await settle(call, secret, live, { passkey, name }))) {
    const still = await liveLink(context.store, secret, context.settings().adminGroups, seconds(context))
    return still === undefined ? showDead(call) : ask(call, still, secret, 400, { refused: true })
  }
  context.federation.wake()
  redirect(response, DONE_PATH)
}

/** A passkey is made for the link in hand. */
function placeOf({ link }: LiveLink): string {
  return `link ${link.id}`
}

/** What a link is used for. */
type Way = { readonly passwordHash: string } | { readonly passkey: CeremonyAnswer; readonly name: string }

const DONE = {
  title: 'Your account is set up',
  text: [
    'The link has done its work and opens nothing any more. Sign in with your user name and the new password, or with your passkey.',
  ],
  next: { url: '/account', label: 'Sign in' },
}

/** One step: of several who post the same link, one gets here with `true`. */
async function settle(call: AccountRequest, secret: string, { link, user }: LiveLink, way: Way): Promise<boolean> {
  const { context, request, response } = call
  const { address } = issuerRequestOf(request)
  const requestId = response.getHeader('x-request-id')
  const detail = { ...linkDetail(link), by: user.sub, ...(requestId && { request_id: requestId }), address }
  const { store, acts } = context
  const settled = await store.unit(
    async () => {
      await store.hold({ wholeSub: user.sub })
      // While the password was being hashed somebody may have been disabled, or the maker have lost their office.
      if ((await liveLink(store, secret, context.settings().adminGroups, seconds(context))) === undefined) return false
      if (!(await store.useLink(link.id, seconds(context)))) return false
      if (link.reset.includes('authenticator')) await store.removeAuthenticator(user.sub)
      if (link.reset.includes('passkeys'))
        for (const { id } of await store.passkeys(user.sub)) await store.removePasskey(user.sub, id)
      await store.clearFactorReset(user.sub)
      if ('passkey' in way && (await context.passkeys.add(user, way.passkey, way.name)).kind !== 'added') return false
      // A password that was to be reset goes, though a passkey comes in its place.
      const goes = link.reset.includes('password') ? { passwordHash: undefined } : {}
      await acts.setUpByLink(user.sub, 'passkey' in way ? goes : way, detail)
      return true
    },
    (done) => done,
  )
  if (settled) context.tell('link.used', detail)
  return settled
}

/** Whether a second factor is left beside the password when the link has done its work. */
async function isBeside({ secondFactors }: IssuerContext, { link, user }: LiveLink): Promise<boolean> {
  const { app, passkeys } = await secondFactors.standing(user.sub)
  const keepsApp = app && !link.reset.includes('authenticator')
  return keepsApp || (passkeys.length > 0 && !link.reset.includes('passkeys'))
}

async function unfitness(
  context: IssuerContext,
  live: LiveLink,
  next: string,
  repeated: string,
): Promise<LinkModel['problem']> {
  const text = await passwordProblem(next, passwordRules(context, live.user, await isBeside(context, live)))
  if (text !== undefined) return { field: 'new_password', text }
  return next === repeated ? undefined : { field: 'repeat_password', text: DIFFERENT }
}

interface Trouble {
  readonly problem?: LinkModel['problem']
  readonly busy?: boolean
  /** The passkey was. */
  readonly refused?: boolean
}

async function ask(
  { context, response }: AccountRequest,
  live: LiveLink,
  secret: string,
  status: 200 | 400 | 429,
  { problem, busy = false, refused = false }: Trouble,
): Promise<void> {
  const { link, user } = live
  const maker = link.madeBy === 'cli' ? undefined : await context.store.userBySub(link.madeBy)
  const beside = await isBeside(context, live)
  const offers = context.passkeys.offered() && !beside
  const ceremony = offers ? await context.passkeys.beginAdding(user, placeOf(live)) : undefined
  const hidden = { [LINK_FIELD]: secret }
  const page = linkPage({
    site: siteOf(context),
    shortest: shortestPassword(context, beside),
    kind: link.kind,
    account: user,
    from: maker?.displayName ?? maker?.username,
    gives: givenBy(context, user.groups),
    form: { action: LINK_PATH, hidden },
    passkey: ceremony && {
      form: { action: LINK_PATH, hidden: { ...hidden, [CEREMONY_FIELD]: ceremony.sealed } },
      options: ceremony.options,
      kind: 'create',
    },
    refused,
    problem,
    busy,
  })
  sendPage(response, status, page, { holdsSecret: true, ...(busy && { retryAfterSeconds: BUSY_SECONDS }) })
}

/** What members of `groups` may use, a line for each resource. */
function givenBy(context: IssuerContext, groups: readonly string[]): readonly string[] {
  return context.settings().resources.flatMap((resource) => {
    const words = grantableScopes(resource, groups).map((scope) => resource.scopes.get(scope) || scope)
    return words.length === 0 ? [] : [`${resource.name ?? resource.identifier}: ${words.join(', ')}`]
  })
}

/** One page for every link that does nothing: who tries secrets learns nothing of them. */
function showDead({ context, response }: AccountRequest): void {
  const page = errorPage({
    site: siteOf(context),
    title: 'This link does nothing any more',
    what: 'It was used, taken back or is too old, or it is not complete.',
    advice:
      'Ask whoever sent it to you for another one. If you have set your password already, go to your account and sign in.',
    code: undefined,
    requestId: undefined,
  })
  sendPage(response, 410, page, { holdsSecret: true })
}
