import type { MethodSet } from './route.ts'

/** Methods that `Allow` and preflight answers can name: RFC 9110, RFC 5789 and WebDAV's (RFC 4918, 3253, 3744, 4791, 5323). */
export const METHODS: readonly string[] = [
  ...['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
  ...['PROPFIND', 'PROPPATCH', 'MKCOL', 'COPY', 'MOVE', 'LOCK', 'UNLOCK', 'REPORT', 'SEARCH'],
  ...['ACL', 'MKCALENDAR', 'VERSION-CONTROL', 'CHECKIN', 'CHECKOUT', 'UNCHECKOUT', 'MKACTIVITY', 'MERGE'],
]

/** Methods are compared case-sensitively (RFC 9110 §9.1). */
export function hasMethod(set: MethodSet, method: string): boolean {
  if (set === 'any') return true
  return 'except' in set ? !set.except.has(method) : set.has(method)
}

/** The members of all `sets`, those of {@link METHODS} first; open sets are cut down to {@link METHODS}. */
export function methodsIn(sets: readonly MethodSet[]): string[] {
  const named = sets.flatMap((set) => (set === 'any' || 'except' in set ? [] : [...set]))
  const known = METHODS.filter((method) => sets.some((set) => hasMethod(set, method)))
  return [...new Set([...known, ...named])]
}
