import type { SessionRecord } from '../../store/records.ts'
import { lookupKey } from '../../store/sealed-payload.ts'
import type { PageBrowser } from '../pages/browsers.ts'
import { accountForm, ask, isConfirmed, leadBack, posted, type SignedInRequest } from './request.ts'

/** The browsers that this person is signed in with, this one first, then the one seen last. */
export async function pageBrowsers(call: SignedInRequest): Promise<readonly PageBrowser[]> {
  const { context, session } = call
  const own = lookupKey(session.uid)
  const found = await context.store.sessions(session.user.sub)
  return [...found]
    .sort((a, b) => rank(b, own) - rank(a, own))
    .map(({ id, issuerSession, browser, address, createdAt, seenAt }) => ({
      label: browser ?? '',
      address,
      since: createdAt,
      seen: seenAt,
      others:
        issuerSession === own
          ? undefined
          : {
              signOut: accountForm(call, 'end-browser', { browser: id }),
              notMe: accountForm(call, 'not-me', { browser: id }),
            },
    }))
}

function rank({ issuerSession, seenAt = 0 }: SessionRecord, own: string): number {
  return issuerSession === own ? Number.MAX_SAFE_INTEGER : seenAt
}

/** Signs out one other browser of this person, once they have said so twice. Apps that were connected in it stay. */
export async function endBrowser(call: SignedInRequest): Promise<void> {
  const { context, session } = call
  const { sub } = session.user
  const found = await otherBrowser(call)
  if (found === undefined) return leadBack(call, { kind: 'gone', what: 'This browser', atMs: context.now() }, sub)
  const name = nameOf(found)
  if (!isConfirmed(call)) {
    const words = {
      question: `Sign out ${name}?`,
      consequences: [
        'That browser is signed out at once, at every service that it uses through here.',
        'Apps that were connected in it stay connected.',
      ],
      act: 'Sign out',
    }
    return ask(call, 'end-browser', { browser: found.id }, words)
  }
  const [entry] = await context.acts.signOutBrowser(sub, found.issuerSession, sub)
  context.tell('session.ended', { sub, by: sub })
  context.federation.wake()
  leadBack(call, { kind: 'browser', what: name, atMs: entry?.notBeforeMs ?? context.now() }, sub)
}

/** Ends a browser session that the person doesn't know, with all that was authorized in it, in one act; a new password comes next. */
export async function disownBrowser(call: SignedInRequest): Promise<void> {
  const { context, session } = call
  const { sub, passwordHash } = session.user
  const found = await otherBrowser(call)
  if (found === undefined) return leadBack(call, { kind: 'gone', what: 'This browser', atMs: context.now() }, sub)
  const passwordDue = passwordHash !== undefined && context.settings().password !== 'off'
  if (!isConfirmed(call)) {
    const words = {
      question: `Wasn’t ${nameOf(found)} you?`,
      consequences: [
        'That browser is signed out at once. Apps that were connected in it, and app passwords that were made in it, lose their access.',
        passwordDue
          ? 'You choose a new password next: until then nothing else can be done with your account.'
          : 'Look at your ways to sign in afterwards: take away what you don’t know.',
      ],
      act: 'It wasn’t me',
    }
    return ask(call, 'not-me', { browser: found.id }, words)
  }
  const [entry] = await context.acts.disownSession(sub, found.issuerSession, passwordDue, sub)
  context.tell('session.disowned', { sub, by: sub })
  context.federation.wake()
  leadBack(call, { kind: 'disowned', what: nameOf(found), atMs: entry?.notBeforeMs ?? context.now() }, sub)
}

/** Never the one in hand, nor another person's. */
async function otherBrowser(call: SignedInRequest): Promise<SessionRecord | undefined> {
  const { context, session } = call
  const id = posted(call, 'browser')
  const sessions = await context.store.sessions(session.user.sub)
  return sessions.find((each) => each.id === id && each.issuerSession !== lookupKey(session.uid))
}

function nameOf({ browser, address }: SessionRecord): string {
  const label = browser === undefined || browser === '' ? 'A browser' : browser
  return address === undefined ? label : `${label} at ${address}`
}
