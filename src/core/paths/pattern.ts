import { comparable, foldCase, isUnambiguous } from './target.ts'

/**
 * A path pattern of routes.yaml, split at `/`: `*` is any run within a segment, a segment `**` any number of whole
 * segments, so `/api/**` is `/api` and all below it. Relative to the route's path. A final slash makes no difference: servers answer
 * `/keys/` as `/keys`.
 */
export interface PathPattern {
  readonly text: string
  readonly segments: readonly string[]
  /** The same for paths in the form of `foldCase`. */
  readonly folded: readonly string[]
  /** `folded` differs from `segments`. */
  readonly hasCase: boolean
}

/**
 * Reads a pattern. Undefined when no request could ever match it in all its readings: no leading slash, `//`, dot segments,
 * `\`, `?`, `#`, `;`, control bytes, `%` other than the escape of what can't stand plain; or when `**` is part of a segment.
 */
export function parsePattern(text: string): PathPattern | undefined {
  const form = comparable(text)
  if (!form.startsWith('/') || /[%;?#]/.test(form) || !isUnambiguous(form)) return undefined
  const bare = withoutFinalSlash(form)
  const segments = bare.slice(1).split('/')
  if (segments.some((segment) => segment !== '**' && segment.includes('**'))) return undefined
  const folded = foldCase(bare)
  return { text, segments, folded: folded.slice(1).split('/'), hasCase: folded !== bare }
}

/** Whether `path` (comparable form, relative to the route, beginning with a slash) matches. Linear in both, but for `*`. */
export function matchesPattern({ segments }: PathPattern, path: string): boolean {
  return matchesSegments(segments, withoutFinalSlash(path))
}

/** {@link matchesPattern} where letter case is ignored. @param folded In the form of `foldCase`. */
export function matchesFolded(pattern: PathPattern, folded: string): boolean {
  return matchesSegments(pattern.folded, withoutFinalSlash(folded))
}

function withoutFinalSlash(path: string): string {
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path
}

function matchesSegments(segments: readonly string[], path: string): boolean {
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
