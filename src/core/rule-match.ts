import { matchesPattern, type PathPattern } from './pattern.ts'
import { hasMethod, methodsIn, type Route, type Rule } from './route.ts'
import { relativeTo } from './router.ts'
import type { Target } from './target.ts'

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

/** Whether the path needs a token. Every reading of it has to agree. Only for a route that the target selected. */
export function isPublic(route: Route, target: Target): 'public' | 'protected' | 'ambiguous' {
  const { access } = route
  if (access.kind === 'public') return 'public'
  if (access.publicPaths.length === 0) return 'protected'
  const [first = '/', ...others] = target.readings
  const open = readingIsPublic(route, access.publicPaths, first)
  if (others.some((reading) => readingIsPublic(route, access.publicPaths, reading) !== open)) return 'ambiguous'
  return open ? 'public' : 'protected'
}

/** The rule that decides, the same in every reading of the path. Only for a route that the target selected. */
export function matchRule(route: Route, method: string, target: Target): RuleMatch {
  const openness = isPublic(route, target)
  if (openness === 'ambiguous') return AMBIGUOUS
  if (openness === 'public' || route.access.kind === 'public') return PUBLIC
  const { rules } = route.access
  const [first = '/', ...others] = target.readings
  const rule = ruleFor(route, rules, method, first)
  if (others.some((reading) => ruleFor(route, rules, method, reading) !== rule)) return AMBIGUOUS
  return rule === undefined ? { kind: 'no_rule', allow: allowedMethods(route, target) } : { kind: 'rule', rule }
}

/** Methods that have a rule for the path as received; every known one where no token is needed. */
export function allowedMethods(route: Route, target: Target): string[] {
  if (route.access.kind === 'public' || isPublic(route, target) === 'public') return methodsIn(['any'])
  const path = relativeTo(route.path, target.readings[0] ?? '/')
  return methodsIn(route.access.rules.filter((rule) => coversPath(rule, path)).map((rule) => rule.methods))
}

function ruleFor(route: Route, rules: readonly Rule[], method: string, reading: string): Rule | undefined {
  const path = relativeTo(route.path, reading)
  return rules.find((rule) => hasMethod(rule.methods, method) && coversPath(rule, path))
}

function coversPath(rule: Rule, path: string): boolean {
  return rule.paths === undefined || rule.paths.some((pattern) => matchesPattern(pattern, path))
}

function readingIsPublic(route: Route, patterns: readonly PathPattern[], reading: string): boolean {
  const path = relativeTo(route.path, reading)
  return patterns.some((pattern) => matchesPattern(pattern, path))
}
