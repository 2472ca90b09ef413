import { comparable, isUnambiguous } from './target.ts'

/**
 * A path pattern of routes.yaml, split at `/`: `*` is any run within a segment, a segment `**` any number of whole
 * segments, so `/api/**` is `/api` and all below it. Relative to the route's path.
 */
export interface PathPattern {
  readonly text: string
  readonly segments: readonly string[]
}

/**
 * Reads a pattern. Undefined when no request could ever match it in all its readings: no leading slash, `//`, dot segments,
 * `\`, `?`, `#`, `;`, control bytes, `%` other than the escape of what can't stand plain; or when `**` is part of a segment.
 */
export function parsePattern(text: string): PathPattern | undefined {
  const form = comparable(text)
  if (!form.startsWith('/') || /[%;?#]/.test(form) || !isUnambiguous(form)) return undefined
  const segments = form.slice(1).split('/')
  return segments.every((segment) => segment === '**' || !segment.includes('**')) ? { text, segments } : undefined
}

/** Whether `path` (comparable form, relative to the route, beginning with a slash) matches. Linear in both, but for `*`. */
export function matchesPattern(pattern: PathPattern, path: string): boolean {
  const { segments } = pattern
  let at = 1
  let next = 0
  let retry = -1
  let retryAt = 0
  while (at <= path.length) {
    const segment = segments[next]
    if (segment === '**') {
      next += 1
      retry = next
      retryAt = at
      continue
    }
    const end = segmentEnd(path, at)
    if (segment !== undefined && matchesSegment(segment, path.slice(at, end))) {
      next += 1
      at = end + 1
    } else if (retry === -1) {
      return false
    } else {
      // Only the last `**` needs to take one segment more: it can take all that an earlier one could.
      next = retry
      at = segmentEnd(path, retryAt) + 1
      retryAt = at
    }
  }
  while (segments[next] === '**') next += 1
  return next === segments.length
}

function segmentEnd(path: string, from: number): number {
  const slash = path.indexOf('/', from)
  return slash === -1 ? path.length : slash
}

function matchesSegment(glob: string, segment: string): boolean {
  const star = glob.indexOf('*')
  if (star === -1) return glob === segment
  if (!segment.startsWith(glob.slice(0, star))) return false
  const [, ...pieces] = glob.split('*')
  const last = pieces.pop() ?? ''
  let at = star
  for (const piece of pieces) {
    const found = segment.indexOf(piece, at)
    if (found === -1) return false
    at = found + piece.length
  }
  return segment.length - last.length >= at && segment.endsWith(last)
}
