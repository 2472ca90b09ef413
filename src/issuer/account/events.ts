import type { AuditRecord } from '../../store/store.ts'
import type { PageEvent } from '../pages/my-access.ts'
import type { SignedInRequest } from './request.ts'

const MOST_SHOWN = 50
const MOST_LOOKED_AT = 500

/** What each event is to the person whom it is about; those that say nothing to them are left out. */
const WORDS: Readonly<Record<string, string>> = {
  'login.success': 'You signed in',
  'login.failure': 'Somebody tried to sign in with a wrong password',
  'login.throttled': 'There were too many tries to sign in',
  'recovery_code.used': 'You signed in with a recovery code',
  'passkey.counter_regressed': 'A passkey was refused: it says that it was copied. Remove it, and make another one',
  'admin.signed_in': 'You signed in to the administration',
  'admin.signed_out': 'You signed out of the administration',
  'admin.refused': 'You were refused at the administration',
  'session.opened': 'You signed in at a service',
  'session.ended': 'A browser was signed out',
  'session.disowned': 'You said that a sign-in wasn’t yours: it ended, with all that came from it',
  'consent.granted': 'You allowed an app something',
  'consent.denied': 'You allowed an app nothing',
  'consent.revoked': 'You disconnected an app',
  'authorization.granted': 'An app got access',
  'authorization.denied': 'An app was refused: you may have nothing of what it asked for',
  'authorization.ended': 'A sign-in of an app was ended',
  'refresh.reuse': 'A refresh token was used twice: the app’s access ended',
  'code.reuse': 'A sign-in code of an app was used twice: the app’s access ended',
  'app_password.added': 'You made an app password',
  'app_password.revoked': 'An app password was revoked',
  'factor.added': 'A way to sign in was added',
  'factor.removed': 'A way to sign in was removed',
  'recovery_codes.made': 'New recovery codes were made',
  'user.password_changed': 'Your password was changed',
  'link.made': 'A link for you was made',
  'link.used': 'A link was used to set a way to sign in',
  'link.voided': 'A link for you was taken back',
  'link.expired': 'A link for you became too old',
  'user.added': 'Your account was made',
  'user.changed': 'Your account was changed',
  'user.disabled': 'Your account was disabled',
  'user.enabled': 'Your account was enabled',
  'federation.linked': 'A provider was connected',
  'federation.unlinked': 'A provider was disconnected',
  'federation.sign_in': 'You signed in at a provider',
  'federation.ended': 'A sign-in at a provider ended',
  'federation.groups_changed': 'A provider changed your groups',
  'federation.account_created': 'Your account was made by a sign-in at a provider',
}

/** What was tried beside the password. */
const REFUSED_FACTORS: Readonly<Record<string, string>> = {
  code: 'Somebody who typed your password was refused for a wrong code. If that wasn’t you, change your password',
  passkey: 'A passkey of yours was refused at a sign-in',
}

const WARNING: ReadonlySet<string> = new Set([
  'login.failure',
  'login.throttled',
  'recovery_code.used',
  'passkey.counter_regressed',
  'refresh.reuse',
  'code.reuse',
  'session.disowned',
  'link.used',
  'factor.removed',
])

/** What happened to this person's account lately, the newest first. */
export async function pageEvents({ context, session }: SignedInRequest): Promise<readonly PageEvent[]> {
  const lines = await context.store.auditsBy('sub', session.user.sub, Number.MAX_SAFE_INTEGER, MOST_LOOKED_AT)
  return folded(lines)
    .slice(0, MOST_SHOWN)
    .map((line) => pageEvent(line, session.user.sub))
}

/** Strangers can try as often as they like: what they did again, with nothing between, is one line with a number. */
function folded(lines: readonly AuditRecord[]): readonly AuditRecord[] {
  const kept: AuditRecord[] = []
  for (const line of lines) {
    const newer = kept.at(-1)
    if (newer?.origin !== 'stranger' || line.origin !== 'stranger' || kindOf(newer) !== kindOf(line)) kept.push(line)
    else kept[kept.length - 1] = { ...newer, detail: { ...newer.detail, count: timesOf(newer) + timesOf(line) - 1 } }
  }
  return kept
}

function kindOf({ event, detail }: AuditRecord): string {
  return JSON.stringify([event, detail.factor])
}

/** `count` of a line is how often it has come again. */
function timesOf({ detail: { count } }: Pick<AuditRecord, 'detail'>): number {
  return typeof count === 'number' ? count + 1 : 1
}

function pageEvent({ event, at, detail }: AuditRecord, sub: string): PageEvent {
  const { client, by, name, resource, origin, address } = detail
  const about = [client, name, origin ?? resource].filter((each) => typeof each === 'string').join(', ')
  const times = typeof detail.count === 'number' ? ` (${timesOf({ detail })} times)` : ''
  const other =
    typeof by === 'string' && by !== sub && !OWN_WAYS.has(by) && BY_OTHERS.has(event) ? ' by an administrator' : ''
  return {
    text: `${wordsOf(event, detail)}${other}${about === '' ? '' : `: ${about}`}${times}`,
    address: typeof address === 'string' ? address : undefined,
    at,
    warns: WARNING.has(event),
  }
}

function wordsOf(event: string, { everywhere, factor }: AuditRecord['detail']): string {
  if (everywhere === true) return 'You were signed out everywhere'
  const refused = event === 'login.failure' && typeof factor === 'string' ? REFUSED_FACTORS[factor] : undefined
  return refused ?? WORDS[event] ?? event.replaceAll(/[._]/g, ' ')
}

/** Who acts for the person, where it isn't said who that is. */
const OWN_WAYS: ReadonlySet<string> = new Set(['browser', 'sign-out'])

/** What an administrator can do to somebody. */
const BY_OTHERS: ReadonlySet<string> = new Set([
  'user.changed',
  'user.disabled',
  'user.enabled',
  'user.added',
  'link.made',
  'link.voided',
  'authorization.ended',
  'session.ended',
])
