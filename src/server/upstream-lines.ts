import { hasDavFields } from '../core/dav.ts'
import { renderFieldLines } from '../core/field-lines.ts'
import type { Permit } from '../core/permit.ts'
import { addsRequestId, lastingRequestHeaders } from '../core/request-headers.ts'
import type { Route, Upstream } from '../core/route.ts'
import type { Asked } from './asked.ts'
import type { Policy, RouteMatch } from './judge.ts'

/** The lines for an upstream that stay the same while a connection's field lines do, and what they were made for. */
export interface UpstreamLines {
  readonly policy: Policy
  readonly route: Route
  readonly upstream: Upstream
  /** For a request with a token; one without keeps an Authorization of another scheme. */
  readonly identified: boolean
  readonly lines: string
  readonly addsRequestId: boolean
}

/**
 * What the upstream gets of a plain request, as field lines: those of the connection's last request with the same fields, and the token's own.
 * Undefined where more has to be judged or said: WebDAV's fields, claims that can't be sent.
 * @param requestId Of letters, digits and `._-`.
 */
export function upstreamLines(
  policy: Policy,
  match: RouteMatch,
  asked: Asked,
  permit: Permit,
  upstream: Upstream,
  requestId: string,
): string | undefined {
  if (asked.memo === undefined) return undefined
  const added = policy.headers.addedLines(permit.route, permit.token)
  const lasting = lastingLines(policy, match, asked, permit, upstream)
  if (added === undefined || lasting === undefined) return undefined
  return lasting.addsRequestId ? `${lasting.lines}X-Request-Id: ${requestId}\r\n${added}` : lasting.lines + added
}

function lastingLines(
  policy: Policy,
  { client }: RouteMatch,
  { memo, method, rawHeaders }: Asked,
  permit: Permit,
  upstream: Upstream,
): UpstreamLines | undefined {
  const known = memo?.upstreamLines
  const { route } = permit
  const identified = permit.token !== undefined
  const isSame = known?.policy === policy && known.route === route && known.upstream === upstream
  if (isSame && known.identified === identified) return known
  if (memo === undefined || hasDavFields(rawHeaders)) return undefined
  const dav = { destination: undefined, if: undefined }
  const input = { rawHeaders, method, permit, policy: policy.headers, client, upstream, upgrade: false, dav }
  const lines = renderFieldLines(lastingRequestHeaders(input))
  if (lines === undefined) return undefined
  memo.upstreamLines = { policy, route, upstream, identified, lines, addsRequestId: addsRequestId(route) }
  return memo.upstreamLines
}
