import { hasMethod, methodsIn, type Route, type Rule } from '../route.ts'
import { matchesFolded, matchesPattern, type PathPattern } from './pattern.ts'
import { relativeTo } from './router.ts'
import { foldCase, type Target } from './target.ts'

/** What a protected route says of a method and a path, before anybody is asked who they are. */
export type RuleMatch =
  | { readonly kind: 'public' }
  | { readonly kind: 'rule'; readonly rule: Rule }
  /** `allow`: methods that have a rule for the path; empty when none has. */
  | { readonly kind: 'no_rule'; readonly allow: readonly string[] }
  /** Two readings of the path are public and not, or meet different rules. */
  | { readonly kind: 'ambiguous' }

const PUBLIC: RuleMatch = { kind: 'public' }
const AMBIGUOUS: RuleMatch = { kind: 'ambiguous' }

/**
 * Whether a request with this method needs a token. Every reading of its path has to agree, and so has the path in another letter case,
 * unless the route says `case: sensitive`. Only for a route that the target selected.
 */
export function isPublic(route: Route, method: string, target: Target): 'public' | 'protected' | 'ambiguous' {
  const { access } = route
  if (access.kind === 'public') return 'public'
  if (access.publicPaths.length === 0 || !hasMethod(access.publicMethods, method)) return 'protected'
  const open = sameInAllReadings(route, haveLetterCase(access.publicPaths), target, (path, matches) =>
    matchesAny(access.publicPaths, path, matches),
  )
  if (open === 'ambiguous') return 'ambiguous'
  return open ? 'public' : 'protected'
}

/** The rule that decides, the same in every reading of the path as {@link isPublic} takes them. Only for a route that the target selected. */
export function matchRule(route: Route, method: string, target: Target): RuleMatch {
  const openness = isPublic(route, method, target)
  if (openness === 'ambiguous') return AMBIGUOUS
  if (openness === 'public' || route.access.kind === 'public') return PUBLIC
  const { rules } = route.access
  const haveCase = rules.some(({ paths }) => paths !== undefined && haveLetterCase(paths))
  const rule = sameInAllReadings(route, haveCase, target, (path, matches) =>
    rules.find((each) => hasMethod(each.methods, method) && covers(each, path, matches)),
  )
  if (rule === 'ambiguous') return AMBIGUOUS
  return rule === undefined ? { kind: 'no_rule', allow: allowedMethods(route, target) } : { kind: 'rule', rule }
}

/** Methods that have a rule for the path as received, or need no token there; every known one on a public route. */
export function allowedMethods(route: Route, target: Target): string[] {
  const { access } = route
  if (access.kind === 'public') return methodsIn(['any'])
  const path = relativeTo(route.path, target.readings[0] ?? '/')
  const open = matchesAny(access.publicPaths, path, matchesPattern) ? [access.publicMethods] : []
  return methodsIn([
    ...open,
    ...access.rules.filter((rule) => covers(rule, path, matchesPattern)).map(({ methods }) => methods),
  ])
}

type Matches = (pattern: PathPattern, path: string) => boolean

/**
 * What `judge` says of every reading of the path, relative to the route's; 'ambiguous' where it doesn't say the same of all.
 * @param patternsFold The patterns that it goes by hold capitals: even a path without any may match them where letter case is ignored.
 */
function sameInAllReadings<Verdict>(
  route: Route,
  patternsFold: boolean,
  { readings }: Target,
  judge: (path: string, matches: Matches) => Verdict,
): Verdict | 'ambiguous' {
  const verdict = judge(relativeTo(route.path, readings[0] ?? '/'), matchesPattern)
  for (let i = 0; i < readings.length; i++) {
    const path = relativeTo(route.path, readings[i] ?? '/')
    if (i > 0 && judge(path, matchesPattern) !== verdict) return 'ambiguous'
    if (route.case === 'sensitive') continue
    const folded = foldCase(path)
    if ((patternsFold || folded !== path) && judge(folded, matchesFolded) !== verdict) return 'ambiguous'
  }
  return verdict
}

function haveLetterCase(patterns: readonly PathPattern[]): boolean {
  return patterns.some(({ hasCase }) => hasCase)
}

function covers(rule: Rule, path: string, matches: Matches): boolean {
  return rule.paths === undefined || matchesAny(rule.paths, path, matches)
}

function matchesAny(patterns: readonly PathPattern[], path: string, matches: Matches): boolean {
  return patterns.some((pattern) => matches(pattern, path))
}
