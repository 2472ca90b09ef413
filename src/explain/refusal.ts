import type { Denial, Reason } from '../core/denial.ts'
import type { AnswerRow } from '../core/sign-in-answer.ts'
import { answerFor } from '../gateway/answers.ts'
import { dependsOnKind, redirectTo, refusalRow, refusalStep, type Shown } from '../gateway/browser/sign-ins.ts'
import type { RouteMatch } from '../gateway/judge.ts'
import { originOf, type Policy } from '../gateway/policy.ts'
import type { RequestHead } from '../gateway/request-head.ts'

/** What the client would get. */
export interface ShownAnswer {
  readonly status: number
  readonly headers: readonly string[]
  readonly body: string
}

/** `alike`: the answer does not go by the kind of request. */
export type RefusalRow = AnswerRow | 'alike'

/** A refusal, and the row of answers that it was taken from where the kind of request was said. */
export interface Refusal {
  readonly outcome: 'deny'
  readonly reason: Reason
  readonly answer: ShownAnswer
  readonly row?: RefusalRow
}

const WORDS: Readonly<Record<RefusalRow, string>> = {
  prefetch: 'a prefetch: nobody is looking, so nothing is begun',
  socket: 'an upgrade: refused before the protocol changes, never redirected',
  drive: 'a WebDAV client: the one challenge that it can answer',
  page: 'a page load: the browser signs in and comes back',
  frame: 'a frame: a page with a link that leaves the frame',
  form: 'a form: a page that says that nothing was delivered',
  document: 'a document or download: a page that leads to sign-in',
  script: "a page's own request: a problem document, never a redirect or a password dialog",
  program: 'a program: every challenge that the route takes',
  sent: 'a credential was sent: it is answered for what it is, never by a redirect',
  refused: 'a refusal that signing in does not cure',
  sessionless: 'a route without sessions: nobody is sent to sign in',
  alike: 'a refusal that does not go by the kind of client',
}

/** A row in words. */
export function rowText(row: RefusalRow): string {
  return `${row} (${WORDS[row]})`
}

/** The refusal as it is answered whatever asks. */
export function plainRefusal(denied: Denial, head: RequestHead, id: string, match: RouteMatch | undefined): Refusal {
  return {
    outcome: 'deny',
    reason: denied.reason,
    answer: answerFor(denied, { ...head, requestId: id, route: match?.route }),
  }
}

/** The refusal as the gateway answers this kind of request. The issuer is not asked: what it would make up is left out of a redirect. */
export function refusalByKind(
  policy: Policy,
  denied: Denial,
  head: RequestHead,
  match: RouteMatch | undefined,
  shown: Shown,
): Refusal {
  if (match === undefined || !dependsOnKind(denied, match.route, shown))
    return { ...plainRefusal(denied, head, shown.id, match), row: 'alike' }
  const row = refusalRow(denied, match, head, shown)
  const step = refusalStep(policy, denied, match, head, shown)
  if (step.kind === 'answer') {
    // Whoever signed in a moment ago would be sent round.
    return { outcome: 'deny', reason: denied.reason, answer: step.answer, row: row === 'page' ? 'refused' : row }
  }
  const reason = denied.reason === 'no_token' ? 'sign_in_required' : denied.reason
  const answer = redirectTo(`${originOf(policy, policy.publicHost)}/authorize?…`)
  return { outcome: 'deny', reason, answer, row }
}
