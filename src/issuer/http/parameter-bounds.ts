import { ROUTES } from './endpoints.ts'

/** More parameters than any request of ours has. */
const MOST_PARAMETERS = 100
/** Of one parameter, in bytes as it reads once decoded: what a stranger sends may be kept for minutes. */
const LONGEST = 2048
/** Of all of them, names included. */
const LONGEST_IN_ALL = 8192

/** Parameters that may be longer, and where; none of them is kept, `state` apart. */
const LONGER: readonly { readonly name: string; readonly bytes: number; readonly at?: readonly string[] }[] = [
  { name: 'state', bytes: 4096 },
  // Access tokens carry groups, and ID tokens come back as hints.
  { name: 'token', bytes: 16_384, at: [ROUTES.introspection, ROUTES.revocation] },
  { name: 'id_token_hint', bytes: LONGEST_IN_ALL, at: [ROUTES.end_session] },
]

/** Why no endpoint takes these parameters at `path`; undefined: some may. */
export function parameterProblem(parameters: URLSearchParams, path: string): string | undefined {
  if (parameters.size > MOST_PARAMETERS) return 'too many parameters'
  let inAll = 0
  for (const [name, value] of parameters) {
    // No parameter of OAuth has them, and what is stored or shown later should not.
    if (/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/.test(name + value)) return 'a parameter contains control characters'
    const longer = LONGER.find((each) => each.name === name && (each.at?.includes(path) ?? true))
    const bytes = Buffer.byteLength(value)
    const most = longer?.bytes ?? LONGEST
    if (Buffer.byteLength(name) > LONGEST) return 'the name of a parameter is too long'
    if (bytes > most) return `${name} is longer than ${most} bytes`
    inAll += Buffer.byteLength(name) + (name === 'token' ? Math.min(bytes, LONGEST) : bytes)
  }
  return inAll > LONGEST_IN_ALL ? `the parameters are longer than ${LONGEST_IN_ALL} bytes in all` : undefined
}
