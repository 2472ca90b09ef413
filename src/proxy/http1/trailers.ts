import { cgiName } from '../../core/headers/fields.ts'

/**
 * Fields that mean nothing in a trailer but harm, for who merges them into the header (RFC 9110 §6.5.1): of framing, routing and the connection,
 * of the content's form, of cookies and logins, caches and other sites' rights, references, which nobody puts in the client's terms there, and all
 * that stays here when it comes in a header. Names are in CGI form, as who merges them may compare them; one that ends in `*` is all that begin so.
 */
const NEVER_TRAILERS = [
  'transfer_encoding host connection keep_alive proxy_* trailer te upgrade max_forwards status content_* date retry_after warning pragma',
  'set_cookie set_cookie2 cookie authorization www_authenticate authentication_info persistent_auth',
  'location link refresh alt_svc sourcemap x_sourcemap cache_control expires age vary x_accel_* x_sendfile*',
  'access_control_* clear_site_data service_worker_allowed strict_transport_security public_key_pins* expect_ct referrer_policy',
  'permissions_policy feature_policy cross_origin_* timing_allow_origin origin_agent_cluster x_frame_options x_xss_protection',
  'x_content_type_options x_permitted_cross_domain_policies sec_websocket_*',
].flatMap((names) => names.split(' '))
const IN_TRAILERS: ReadonlySet<string> = new Set(['content_digest', 'content_md5'])
const NEVER_NAMES: ReadonlySet<string> = new Set(NEVER_TRAILERS.filter((name) => !name.endsWith('*')))
const NEVER_FAMILIES = NEVER_TRAILERS.filter((name) => name.endsWith('*')).map((name) => name.slice(0, -1))

/** Whether a field of an upstream's trailer goes on. */
export function mayTrail(name: string): boolean {
  const cgi = cgiName(name)
  if (IN_TRAILERS.has(cgi)) return true
  return !NEVER_NAMES.has(cgi) && !NEVER_FAMILIES.some((family) => cgi.startsWith(family))
}
