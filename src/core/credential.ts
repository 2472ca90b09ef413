// b64token of RFC 6750 §2.1. Anchored, and its two parts share no character: linear.
const B64TOKEN = /^[A-Za-z0-9._~+/-]+=*$/
const TCHAR = /^[!#$%&'*+.^_`|~0-9A-Za-z-]/

/** What a request carries to show who it is. */
type Credential =
  | { readonly kind: 'none' }
  | { readonly kind: 'bearer'; readonly token: string }
  /** RFC 9449 §7.1. `proof` is undefined when no `DPoP` field came. */
  | { readonly kind: 'dpop'; readonly token: string; readonly proof: string | undefined }
  | { readonly kind: 'malformed'; readonly detail: string }

const NONE: Credential = { kind: 'none' }

/**
 * Reads the `Authorization` field (RFC 6750 §2.1, RFC 9449 §7.1); never a query parameter or a body. Takes raw headers
 * because the parsed ones hide a second field. Another scheme counts as none. Does NOT look into the token: one that is too
 * long is for the verifier to refuse.
 */
export function extractCredential(rawHeaders: readonly string[]): Credential {
  let authorization: string | undefined
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    if (!isNamed(rawHeaders[i], 'authorization')) continue
    if (authorization !== undefined) return malformed('there is more than one Authorization field')
    authorization = rawHeaders[i + 1] ?? ''
  }
  if (authorization === undefined) return NONE
  const scheme = tokenScheme(authorization)
  if (scheme === undefined) return NONE
  const token = authorization.slice(scheme.length).replace(/^ +/, '')
  if (authorization.charCodeAt(scheme.length) !== 0x20 || !B64TOKEN.test(token)) {
    return malformedScheme(scheme)
  }
  return scheme === 'bearer' ? { kind: 'bearer', token } : withProof(token, rawHeaders)
}

/** What follows `Bearer` and a space in the only Authorization field. */
export function readBearer(token: string): Extract<Credential, { kind: 'bearer' | 'malformed' }> {
  return B64TOKEN.test(token) ? { kind: 'bearer', token } : malformedScheme('bearer')
}

/** `bearer` or `dpop` when the value uses that scheme, well-formed or not; such a value never goes upstream. */
export function tokenScheme(authorization: string): 'bearer' | 'dpop' | undefined {
  const start = authorization.slice(0, 7).toLowerCase()
  const scheme = start.startsWith('bearer') ? 'bearer' : start.startsWith('dpop') ? 'dpop' : undefined
  // `Bearerish` is another scheme; `Bearer,` and `Bearer=` are this one in bad syntax.
  return scheme !== undefined && TCHAR.test(start.slice(scheme.length)) ? undefined : scheme
}

function withProof(token: string, rawHeaders: readonly string[]): Credential {
  let proof: string | undefined
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    if (!isNamed(rawHeaders[i], 'dpop')) continue
    if (proof !== undefined) return malformed('there is more than one DPoP field')
    proof = rawHeaders[i + 1] ?? ''
  }
  return { kind: 'dpop', token, proof }
}

type Malformed = Extract<Credential, { kind: 'malformed' }>

function malformedScheme(scheme: 'bearer' | 'dpop'): Malformed {
  return malformed(`Authorization is not of the form: ${scheme === 'bearer' ? 'Bearer' : 'DPoP'} <access token>`)
}

function malformed(detail: string): Malformed {
  return { kind: 'malformed', detail }
}

function isNamed(name: string | undefined, wanted: string): boolean {
  return name !== undefined && name.length === wanted.length && name.toLowerCase() === wanted
}
