/**
 * Schemes whose login belongs to the connection, not to the request (RFC 4559 §6, MS-NTHT). Connections to upstreams carry one client's requests
 * after another's: whoever came next would be the one who logged in.
 */
const BOUND = /^(?:ntlm|negotiate|kerberos|nego2)$/i
const MAY_BE_BOUND = /ntlm|nego|kerberos/i

/** Whether an `Authorization` value is of a scheme that logs the connection in. */
export function isConnectionBound(authorization: string): boolean {
  return BOUND.test(/^[\t ]*([^\t ,=]*)/.exec(authorization)?.[1] ?? '')
}

/** A `WWW-Authenticate` value without the challenges of such schemes; undefined when none is left. */
export function withoutBoundChallenges(value: string): string | undefined {
  if (!MAY_BE_BOUND.test(value)) return value
  const kept: string[] = []
  let bound = false
  for (const member of membersOf(value)) {
    // `Basic realm="x"` or `NTLM` begins a challenge; `charset="UTF-8"` is one more parameter of the challenge before it.
    const scheme = /^([^\t ,="]+)(?:[\t ]+(?!=)|$)/.exec(member)?.[1]
    if (scheme !== undefined) bound = BOUND.test(scheme)
    if (!bound) kept.push(member)
  }
  return kept.length === 0 ? undefined : kept.join(', ')
}

/** The members of a list field (RFC 9110 §5.6.1): commas within quotes part nothing. */
function membersOf(value: string): string[] {
  const pieces = value.match(/"(?:[^"\\]|\\.)*"?|,|[^",]+/g) ?? []
  const members = ['']
  for (const piece of pieces) {
    if (piece === ',') members.push('')
    else members[members.length - 1] += piece
  }
  return members.map((member) => member.trim()).filter((member) => member !== '')
}
