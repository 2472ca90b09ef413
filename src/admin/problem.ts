import { createHash } from 'node:crypto'

/** What is wrong with one member of a body or query. */
interface MemberProblem {
  readonly path: string
  readonly message: string
}

interface ProblemExtras {
  readonly errors?: readonly MemberProblem[]
  readonly headers?: Readonly<Record<string, string>>
  /** Further members of the document. */
  readonly members?: Readonly<Record<string, unknown>>
}

/** An answer that is no success (RFC 9457). `message` is for people; `reason` is for programs. */
export class Problem extends Error {
  readonly status: number
  readonly reason: string
  readonly extras: ProblemExtras

  constructor(status: number, reason: string, message: string, extras: ProblemExtras = {}) {
    super(message)
    this.status = status
    this.reason = reason
    this.extras = extras
  }
}

export function notFound(what: string): Problem {
  return new Problem(404, 'not_found', `there is no such ${what}`)
}

export function invalid(path: string, message: string): Problem {
  return new Problem(400, 'invalid_request', `${path}: ${message}`, { errors: [{ path, message }] })
}

export function unknownCursor(): Problem {
  return invalid('cursor', 'is none that was given here; begin without one')
}

export function conflict(reason: string, message: string): Problem {
  return new Problem(409, reason, message)
}

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  409: 'Conflict',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  428: 'Precondition Required',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
}

/** The document of a problem. */
export function problemDocument({ status, reason, message, extras }: Problem, requestId: string): object {
  return {
    type: 'about:blank',
    title: TITLES[status] ?? 'Error',
    status,
    detail: message,
    reason,
    request_id: requestId,
    ...(extras.errors === undefined ? {} : { errors: extras.errors }),
    ...extras.members,
  }
}

/** A strong ETag of what is stored of an object (RFC 9110 §8.8.3). */
export function tagOf(record: object): string {
  return `"${createHash('sha256').update(JSON.stringify(record)).digest('base64url').slice(0, 27)}"`
}

/**
 * Throws the problem unless `If-Match` names what is there now, or says that anything will do (RFC 9110 §13.1.1). Tags are compared
 * strongly: a weak one never matches. @param present The object as it is shown.
 */
export function demandMatch(ifMatch: string | undefined, tag: string, present: object): void {
  if (ifMatch === undefined) throw preconditionRequired('If-Match with the ETag of what you have seen')
  const named = ifMatch.split(',').map((each) => each.trim())
  if (ifMatch.trim() === '*' || named.includes(tag)) return
  throw stale(tag, present)
}

/** @param what to send. */
export function preconditionRequired(what: string): Problem {
  return new Problem(428, 'precondition_required', `send ${what}`)
}

/** @param present The object as it is shown. */
export function stale(tag: string, present: object): Problem {
  return new Problem(412, 'stale', 'it has changed since you have seen it', {
    headers: { ETag: tag },
    members: { present },
  })
}
