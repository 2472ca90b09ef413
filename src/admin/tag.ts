import { createHash } from 'node:crypto'
import { Problem } from './problem.ts'

/** A strong ETag of what is stored of an object (RFC 9110 §8.8.3). */
export function tagOf(record: object): string {
  return `"${createHash('sha256').update(JSON.stringify(record)).digest('base64url').slice(0, 27)}"`
}

/** Throws the problem unless `If-Match` names what is there now. @param present The object as it is shown. */
export function demandMatch(ifMatch: string | undefined, tag: string, present: object): void {
  if (ifMatch === undefined) {
    throw new Problem(428, 'precondition_required', 'send If-Match with the ETag of what you have seen')
  }
  if (ifMatch.split(',').some((each) => each.trim() === tag)) return
  throw new Problem(412, 'stale', 'it has changed since you have seen it', {
    headers: { ETag: tag },
    members: { present },
  })
}
