import { type Answer, type AnswerContext, type Challenges, renderAnswer } from './answer.ts'
import type { Denial, Reason } from './denial.ts'
import { isBrowsers, type RequestKind } from './request-kind.ts'
import type { CredentialKind } from './route.ts'

/** What the answer to a request that nothing counts for goes by. */
export interface SignInTerms {
  readonly kind: RequestKind
  readonly credentials: readonly CredentialKind[]
  /** Of `Basic` challenges: the resource's name. */
  readonly realm: string
  /** The URL that signs in and comes back to what was asked. */
  readonly signIn: string
  /** `sent`: a header or ticket, on purpose: it is answered for what it is, and never by a redirect. */
  readonly shown: 'nothing' | 'session' | 'sent'
  /** The session was signed in to moments ago, and has not ended: where its token is refused, signing in again would lead here again. */
  readonly isYoung: boolean
  /** `Accept` names HTML. */
  readonly namesHtml: boolean
}

/**
 * What a refusal's answer goes by: the kind of request, or what comes before it. `sent`: a credential was sent on purpose · `refused`: signing in
 * would not help · `sessionless`: the route takes no session.
 */
export type AnswerRow = RequestKind | 'sent' | 'refused' | 'sessionless'

/** The row that an answer is taken from: the first that fits. */
export function answerRow(
  { status }: Denial,
  { kind, shown, credentials }: Pick<SignInTerms, 'kind' | 'shown' | 'credentials'>,
): AnswerRow {
  if (shown === 'sent') return 'sent'
  if (status !== 401) return 'refused'
  return kind === 'drive' || credentials.includes('session') ? kind : 'sessionless'
}

/** `sign_in`: the browser is sent to the issuer; there is no body. */
export type SignInStep = { readonly kind: 'sign_in' } | { readonly kind: 'answer'; readonly answer: Answer }

/** The answer to a refused request, by what kind of request it is and what its route takes. */
export function signInStep(denied: Denial, terms: SignInTerms, context: AnswerContext): SignInStep {
  const row = answerRow(denied, terms)
  const challenges = challengesOf(terms)
  const answer = (further: Partial<AnswerContext>): SignInStep => ({
    kind: 'answer',
    answer: renderAnswer(denied, { ...context, challenges, ...further }),
  })
  if (row === 'sent') return answer({ wantsHtml: terms.namesHtml, page: sentPage(denied, terms) })
  if (row === 'refused') {
    const wantsHtml = terms.shown === 'session' ? SHOWS_PAGES.has(terms.kind) : context.wantsHtml
    return { kind: 'answer', answer: renderAnswer(denied, { ...context, wantsHtml }) }
  }
  if (row === 'drive' || row === 'sessionless') return answer({})
  const isVain = terms.isYoung && !CURED_BY_SIGN_IN.has(denied.reason)
  if (row === 'page') return isVain ? refusedPage(denied, context) : { kind: 'sign_in' }
  const page = PAGES[row]?.(terms.signIn)
  if (page !== undefined) return answer({ wantsHtml: true, page })
  if (row === 'script') return answer({ wantsHtml: false, members: { sign_in: terms.signIn } })
  return answer({ wantsHtml: false })
}

/** Kinds whose answer a person sees as a page. */
const SHOWS_PAGES: ReadonlySet<RequestKind> = new Set(['page', 'frame', 'form', 'document'])

/**
 * What a sign-in does away with, however lately there was one: it was for another resource, or a lesser one. Where a better one can't be had, the
 * issuer ends with a page of its own.
 */
const CURED_BY_SIGN_IN: ReadonlySet<Reason> = new Set(['no_session_for_resource', 'insufficient_authentication'])

type PageOf = (signIn: string) => NonNullable<AnswerContext['page']>

const PAGES: Partial<Readonly<Record<RequestKind, PageOf>>> = {
  frame: (href) => ({
    title: 'Sign in to see this',
    paragraphs: ['This part of the page is for people who are signed in.'],
    link: { href, label: 'Sign in', top: true },
    framed: true,
  }),
  form: (href) => ({
    title: 'Nothing was sent',
    paragraphs: [
      'You are not signed in any more, so what you sent was not delivered.',
      'Sign in in another tab. Then reload this page: your browser sends it again.',
    ],
    link: { href, label: 'Sign in in another tab', newTab: true },
  }),
  document: (href) => ({
    title: 'Sign in to go on',
    paragraphs: ['This is for people who are signed in.'],
    link: { href, label: 'Sign in', follows: true },
  }),
}

const SENT: NonNullable<AnswerContext['page']> = {
  title: 'This was not let in',
  paragraphs: [
    'What came with the request to show who you are does not count here. A link that was given to you may be over: ask for a new one, or open the page without it.',
  ],
}

const LINK: PageOf = (href) => ({
  title: 'This link does not open it',
  paragraphs: [
    'The link that you followed is over, or is for something else. Ask whoever gave it to you for a new one, or sign in.',
  ],
  link: { href, label: 'Sign in' },
})

const PASSWORD: NonNullable<AnswerContext['page']> = {
  title: 'This password does not count here',
  paragraphs: [
    'A program comes in with an app password, which you make in your account. Your own password is for the sign-in page.',
  ],
}

const SENT_BY_REASON: Partial<Readonly<Record<Reason, PageOf>>> = {
  bad_ticket: LINK,
  ticket_expired: LINK,
  ticket_mismatch: LINK,
  bad_app_password: () => PASSWORD,
}

/** Undefined: the usual page of the status says it. */
function sentPage({ status, reason }: Denial, { credentials, signIn }: SignInTerms): AnswerContext['page'] {
  if (status === 429 || !credentials.includes('session')) return undefined
  return SENT_BY_REASON[reason]?.(signIn) ?? SENT
}

/** Nobody is sent round: the person reads why. */
function refusedPage(denied: Denial, context: AnswerContext): SignInStep {
  const { challenge: _, error: __, ...refused } = denied
  const answer = renderAnswer({ ...refused, status: 403, error: undefined }, { ...context, wantsHtml: true })
  return { kind: 'answer', answer }
}

/** Clients read the first challenge, the last, or one; a browser that reads `Basic` opens a dialog of its own. */
function challengesOf({ kind, credentials, realm }: SignInTerms): Challenges {
  const basic = credentials.includes('app_password') && !isBrowsers(kind) ? realm : undefined
  if (basic === undefined) return { bearer: true, basic }
  return { bearer: kind !== 'drive' && credentials.includes('token'), basic }
}
