import { type Denial, denial } from '../core/denial.ts'
import type { UpstreamFault } from '../proxy/forward.ts'

const REASONS = {
  refused: 'upstream_refused',
  reset: 'upstream_reset',
  protocol: 'upstream_protocol',
  timeout: 'upstream_timeout',
} as const

const TEXTS: Readonly<Record<UpstreamFault, string>> = {
  refused: 'the service behind this route takes no connections',
  reset: 'the service behind this route ended the connection',
  protocol: 'the service behind this route answered with what is no HTTP/1.1',
  timeout: 'the service behind this route took too long',
}

/** The answer for an upstream that failed before its answer began. Says what, never where: addresses are the operator's. */
export function upstreamDenial({ fault }: { readonly fault: UpstreamFault }): Denial {
  return denial(REASONS[fault], TEXTS[fault])
}
