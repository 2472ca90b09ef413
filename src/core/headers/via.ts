/**
 * Whether a request has come through us before: some `Via` names our pseudonym (RFC 9110 §7.6.3). Names are compared without case.
 * @param pseudonym Lower case.
 */
export function hasPassed(rawHeaders: readonly string[], pseudonym: string): boolean {
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? ''
    if (name.length !== 3 || name.toLowerCase() !== 'via') continue
    const members = (rawHeaders[i + 1] ?? '').toLowerCase().split(',')
    if (members.some((member) => member.trim().split(/[ \t]+/)[1] === pseudonym)) return true
  }
  return false
}
