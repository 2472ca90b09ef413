import { siteOf } from '../context.ts'
import { issuerRequestOf } from '../http/request.ts'
import { redirect, sendPage } from '../http/response.ts'
import { CEREMONY_FIELD, PASSKEY_FIELD } from '../interaction/passkey-step.ts'
import { addPasskeyPage, type PasskeysModel } from '../pages/passkey.ts'
import { MOST_PASSKEYS, passkeyName } from '../people/passkeys.ts'
import { deviceLabel } from '../tokens/authorization-label.ts'
import { showCodes } from './factors.ts'
import { isFresh, mayAddFactor, whileItStands } from './freshness.ts'
import { ACCOUNT_PATH, accountForm, leadBack, posted, type SignedInRequest } from './request.ts'

const REFUSED = 'That passkey was not accepted. Try again.'
const TAKEN = 'That passkey belongs to an account already.'
const WHY =
  'No passkeys here: browsers make them for a host name with https (or localhost) only. Whoever runs this service can mend that.'

/** What the account page says of passkeys; undefined where none are wanted. */
export async function passkeysOf(call: SignedInRequest): Promise<PasskeysModel | undefined> {
  const { context, session } = call
  const kept = await context.store.passkeys(session.user.sub)
  const offered = context.passkeys.offered()
  if (kept.length === 0 && !context.settings().passkeys) return undefined
  return {
    passkeys: kept.map(({ id, name, backedUp, createdAt, lastUsedAt }) => ({
      name,
      synced: backedUp,
      since: createdAt,
      lastUsed: lastUsedAt,
      rename: accountForm(call, 'passkey-rename', { passkey: id }),
      remove: accountForm(call, 'factor-remove', { factor: id }),
    })),
    add: offered && kept.length < MOST_PASSKEYS ? accountForm(call, 'passkey-add') : undefined,
    why: offered || !context.settings().passkeys ? undefined : WHY,
  }
}

/** Shows where a passkey is made. */
export async function addPasskey(call: SignedInRequest): Promise<void> {
  const { context, response } = call
  if (!context.passkeys.offered()) return redirect(response, ACCOUNT_PATH)
  if ((await isFresh(call)) && (await mayAddFactor(call))) await showAdding(call, 200, undefined)
}

/** Keeps the passkey that the browser has made. */
export async function confirmPasskey(call: SignedInRequest): Promise<void> {
  const { context, session, request, response } = call
  const { user } = session
  if (!(await isFresh(call)) || !(await mayAddFactor(call))) return
  const answer = {
    place: placeOf(call),
    sealed: posted(call, CEREMONY_FIELD),
    response: posted(call, PASSKEY_FIELD),
  }
  const { codes } = await context.secondFactors.standing(user.sub)
  const done = await whileItStands(call, async () => {
    const added = await context.passkeys.add(user, answer, posted(call, 'name'))
    const wanted = added.kind === 'added' && codes === 0 && user.passwordHash !== undefined
    return { added, made: wanted ? await context.secondFactors.makeCodes(user.sub) : undefined }
  })
  if (done === undefined) return
  const { added, made } = done
  if (added.kind === 'too_many') return redirect(response, ACCOUNT_PATH)
  if (added.kind !== 'added') return showAdding(call, 400, added.kind === 'there' ? TAKEN : REFUSED)
  const { address } = issuerRequestOf(request)
  await context.record('factor.added', {
    sub: user.sub,
    factor: 'passkey',
    id: added.passkey.id,
    by: user.sub,
    address,
  })
  if (made !== undefined) showCodes(call, made)
  else leadBack(call, { kind: 'passkey', name: added.passkey.name, atMs: context.now() }, user.sub)
}

/** Gives a passkey another name. */
export async function renamePasskey(call: SignedInRequest): Promise<void> {
  const { context, session } = call
  const name = passkeyName(posted(call, 'name'))
  const { sub } = session.user
  if (name !== undefined) await context.store.renamePasskey(sub, posted(call, 'passkey'), name)
  redirect(call.response, ACCOUNT_PATH)
}

async function showAdding(call: SignedInRequest, status: 200 | 400, problem: string | undefined): Promise<void> {
  const { context, session, request, response } = call
  const { options, sealed } = await context.passkeys.beginAdding(session.user, placeOf(call))
  const form = accountForm(call, 'passkey-confirm', { [CEREMONY_FIELD]: sealed })
  const page = addPasskeyPage({
    site: siteOf(context),
    passkey: { form, options, kind: 'create' },
    account: session.user,
    name: deviceLabel(request.headers['user-agent']) || 'Passkey',
    problem,
    cancelUrl: ACCOUNT_PATH,
  })
  sendPage(response, status, page)
}

/** A passkey is made for the session in hand. */
function placeOf({ session }: SignedInRequest): string {
  return `account ${session.uid}`
}
