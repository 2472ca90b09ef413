/**
 * Fields of an answer that was given on the strength of what shared caches don't look at: a cookie, a URL, a field of our own (RFC 9111 §3.5
 * protects `Authorization` alone). `Cache-Control` gains `private` and loses what would let others keep it. Raw pairs.
 */
export function privateFields(fields: readonly string[]): string[] {
  const directives: string[] = []
  const out: string[] = []
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] ?? ''
    if (name.toLowerCase() !== 'cache-control') out.push(name, fields[i + 1] ?? '')
    else directives.push(...(fields[i + 1] ?? '').split(/,(?=(?:[^"]*"[^"]*")*[^"]*$)/).map((part) => part.trim()))
  }
  const kept = directives.filter((directive) => directive !== '' && !SHARED.test(directive))
  return [...out, 'Cache-Control', ['private', ...kept].join(', ')]
}

/** The same for field lines, a CRLF after each; undefined where there is something to change. */
export function privateLines(lines: string): string | undefined {
  return /^cache-control:/im.test(lines) ? undefined : `${lines}Cache-Control: private\r\n`
}

const SHARED = /^(?:public|private|s-maxage)(?:\s*=.*)?$/is

/** Puts a ticket's path back before the references of an answer, and keeps it from pages that are linked from there. Raw pairs. */
export function ticketFields(fields: readonly string[], prefix: string, origin: string): string[] {
  const out: string[] = []
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] ?? ''
    const lower = name.toLowerCase()
    if (lower === 'referrer-policy') continue
    const value = fields[i + 1] ?? ''
    out.push(name, REFERENCES.has(lower) && prefix !== '' ? prefixed(value, prefix, origin) : value)
  }
  return [...out, 'Referrer-Policy', 'no-referrer']
}

const REFERENCES: ReadonlySet<string> = new Set(['location', 'content-location'])

function prefixed(reference: string, prefix: string, origin: string): string {
  if (reference.startsWith('/') && !reference.startsWith('//')) return prefix + reference
  const rest = reference.slice(origin.length)
  return reference.startsWith(origin) && rest.startsWith('/') ? origin + prefix + rest : reference
}
