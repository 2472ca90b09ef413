interface OwnRequestTerms {
  readonly method: string
  readonly rawHeaders: readonly string[]
  /** Scheme, host and port that this host has in browsers. */
  readonly origin: string
  /** Origins whose scripts may use the cookie too. */
  readonly allowed: readonly string[]
}

/**
 * Whether a request with a cookie was meant by whoever the cookie belongs to: by a page of this origin, or by the person (Fetch Metadata; Origin
 * where a browser sends none). A cookie comes along by itself, so that it says nothing of who asked.
 */
export function isOwnRequest(terms: OwnRequestTerms): boolean {
  const { method, rawHeaders, origin, allowed } = terms
  const site = fieldOf(rawHeaders, 'sec-fetch-site')
  const sender = fieldOf(rawHeaders, 'origin')
  if (site === 'same-origin' || site === 'none') return true
  if (site !== undefined) return isLink(method, rawHeaders) || isOneOf(allowed, sender)
  const reads = (method === 'GET' || method === 'HEAD') && fieldOf(rawHeaders, 'upgrade') === undefined
  // Browsers send one with every unsafe request and every WebSocket; without it there is no browser.
  return reads || sender === undefined || sender === origin || isOneOf(allowed, sender)
}

/** Somebody follows a link: whoever wrote it can't read what comes, and reading does nothing. */
function isLink(method: string, rawHeaders: readonly string[]): boolean {
  if (method !== 'GET' && method !== 'HEAD') return false
  const destination = fieldOf(rawHeaders, 'sec-fetch-dest')
  const followed = destination === 'document' || destination === 'empty'
  return (
    followed && fieldOf(rawHeaders, 'sec-fetch-mode') === 'navigate' && fieldOf(rawHeaders, 'upgrade') === undefined
  )
}

function isOneOf(allowed: readonly string[], sender: string | undefined): boolean {
  return sender !== undefined && allowed.includes(sender)
}

/** The value; '' for several fields of one name, which no browser sends. */
function fieldOf(rawHeaders: readonly string[], wanted: string): string | undefined {
  let value: string | undefined
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? ''
    if (name.length !== wanted.length || name.toLowerCase() !== wanted) continue
    value = value === undefined ? (rawHeaders[i + 1] ?? '') : ''
  }
  return value
}
