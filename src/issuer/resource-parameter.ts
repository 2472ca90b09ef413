import { matchResource } from '../core/grants.ts'
import type { Resource } from '../core/resource.ts'

/** More parameters than any request of ours has; each may be as long as a header allows. */
const MOST_PARAMETERS = 100

/**
 * The parameters with every `resource` in its registered spelling: the library compares them as they are written, and what
 * it stores has to be what tokens carry. What is not registered stays as it came, for the endpoint to refuse. Empty ones
 * are as good as absent (RFC 6749 §3.1).
 */
export function canonicalResources(parameters: URLSearchParams, resources: readonly Resource[]): URLSearchParams {
  const written = new URLSearchParams()
  for (const [name, value] of parameters) {
    if (name !== 'resource') written.append(name, value)
    else if (value !== '') written.append(name, matchResource(resources, value)?.identifier ?? value)
  }
  return written
}

/** Why no endpoint takes these parameters; undefined: some may. */
export function parameterProblem(parameters: URLSearchParams): string | undefined {
  if (parameters.size > MOST_PARAMETERS) return 'too many parameters'
  for (const [name, value] of parameters) {
    // No parameter of OAuth has them, and what is stored or shown later should not.
    if (/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/.test(name + value)) return 'a parameter contains control characters'
  }
  return undefined
}
