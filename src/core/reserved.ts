import { isWithin, type Router } from './router.ts'
import type { Target } from './target.ts'

/** Paths that belong to the issuer, with all below them. */
export const RESERVED_PATHS: readonly string[] = ['/.well-known', '/oauth', '/account', '/admin', '/assets']

/** Where resource metadata lives (RFC 9728 §3.1), on every host. */
export const METADATA_PATH = '/.well-known/oauth-protected-resource'

/**
 * Whether a path is reserved: on hosts that no route names, on `publicHost`, and for resource metadata on every host. Ambiguous
 * when only some readings of it are.
 */
export function reservation(
  router: Router,
  publicHost: string,
  host: string,
  target: Target,
): 'reserved' | 'free' | 'ambiguous' {
  const paths = host === publicHost || !router.namesHost(host) ? RESERVED_PATHS : [METADATA_PATH]
  const [first = '/', ...others] = target.readings
  const reserved = isReserved(paths, first)
  if (others.some((reading) => isReserved(paths, reading) !== reserved)) return 'ambiguous'
  return reserved ? 'reserved' : 'free'
}

function isReserved(paths: readonly string[], reading: string): boolean {
  return paths.some((path) => isWithin(path, reading))
}
