/** What happens to a client's field on its way upstream, whatever the route says. */
type FieldFate =
  /** Stays here, whoever sends it. */
  | 'never'
  /** Passes from trusted proxies only: it says who is at the other end. */
  | 'forwarded'

interface FieldRow {
  readonly fate: FieldFate
  /** Names in CGI form (see `cgiName`), between blanks; one that ends in `*` is all that begin so. */
  readonly names: string
  readonly why: string
}

// RFC 3875 §4.1. `content_type` and `content_length` are fields of HTTP, too: header-policy.ts lets them pass under that one spelling.
const META_VARIABLES =
  'auth_type gateway_interface path_info path_translated query_string remote_addr remote_host remote_ident remote_user ' +
  'request_method script_name server_name server_port server_protocol server_software'

const SERVER_VARIABLES =
  'request_uri request_path request_url document_uri document_root script_filename script_url script_uri unencoded_url ' +
  'request_scheme url_scheme remote_port server_addr context_prefix context_document_root request_filename the_request uri url ' +
  'script_translated local_addr server_port_secure auth_user auth_password logon_user unmapped_remote_user cert_subject cert_issuer ' +
  'cert_serialnumber appl_md_path appl_physical_path'

/** Fields that servers obey although a client wrote them, with the reason beside each. */
const FIELDS: readonly FieldRow[] = [
  {
    fate: 'never',
    names: META_VARIABLES,
    why: 'servers that keep meta-variables and fields in one place take them for their own: gunicorn obeys SCRIPT_NAME and PATH_INFO',
  },
  {
    fate: 'never',
    names: `${SERVER_VARIABLES} orig_* redirect_* php_* https`,
    why: 'what Apache, nginx, IIS and PHP add to the meta-variables',
  },
  {
    fate: 'never',
    names: `${META_VARIABLES} content_type content_length ${SERVER_VARIABLES}`.replace(/\b(?=[a-z])/g, 'x_'),
    why: 'the same, as proxies send them: Radicale, calibre-web and many WSGI programs obey X-Script-Name',
  },
  {
    fate: 'never',
    names: 'x_original_* x_rewrite_* x_override_url x_override_uri x_override_path',
    why: 'Symfony, Laminas, IIS rewriting and auth subrequests route by them',
  },
  {
    fate: 'never',
    names:
      'x_forwarded_uri x_forwarded_url x_forwarded_path x_forwarded_pathbase x_forwarded_path_base x_forwarded_method',
    why: 'what forward-auth servers and ASP.NET take for the path and method',
  },
  {
    fate: 'never',
    names:
      'x_forwarded_script_name x_forwarded_context x_forwarded_request_uri x_forwarded_base_path x_forwarded_root_path',
    why: 'the same as an application prefix; ours is X-Forwarded-Prefix',
  },
  {
    fate: 'never',
    names:
      'x_http_destinationurl x_http_path_override x_http_url_override x_waws_unencoded_url x_proxy_url x_proxy_host x_base_path ' +
      'x_base_url x_root_path x_context_path x_url_path x_app_path x_rstudio_root_path x_rstudio_request x_dash_base_pathname ' +
      'base_url x_replaced_path x_proxy_path x_proxy_prefix x_path_prefix x_mount_path',
    why: 'paths and bases that single servers and proxies of theirs know',
  },
  {
    fate: 'never',
    names: 'x_vhm_* repoze_vhm_* x_zope_vhm* x_traversal_path x_traversal_prefix x_request_base x_catalyst_*',
    why: 'Pyramid and repoze put X-Vhm-Root before the path, Plack and Catalyst take their base from the others',
  },
  {
    fate: 'never',
    names: 'x_envoy_original_* x_ingress_path x_hass_* x_supervisor_token',
    why: 'the path before Envoy rewrote it; Home Assistant add-ons take their base and their person from them',
  },
  {
    fate: 'never',
    names: 'x_accel_* x_sendfile x_sendfile_type x_lighttpd_send_file',
    why: 'Rack maps file paths by X-Accel-Mapping and X-Sendfile-Type: a client would choose the file',
  },
  {
    fate: 'never',
    names: 'x_middleware_* x_invoke_* x_matched_path x_now_route_matches x_nextjs_rewritten_* x_astro_path',
    why: 'Next.js and Astro route by them and skip their checks',
  },
  {
    fate: 'never',
    names:
      'x_host x_host_override x_http_host x_http_host_override x_real_host x_backend_host x_request_host x_requested_host ' +
      'x_target_host x_upstream_host x_virtual_host x_vhost disguised_host was_default_hostname',
    why: 'another host than the one that was judged',
  },
  {
    fate: 'never',
    names:
      'x_http_method x_http_method_override x_method_override x_method x_http_verb x_http_verb_override http_method_override ' +
      'method_override x_override_method override_method x_http_override x_verb x_rest_method',
    why: 'Express, Symfony, Rails, Spring and OData run another method than the one that was judged',
  },
  {
    fate: 'never',
    names:
      'x_remote_* remote_user_* remote_group remote_role remote_roles x_webauth_* x_auth_request_* x_forwarded_user_* impersonate_* ' +
      'x_authenticated_user x_authenticated_userid x_authenticated_groups x_authenticated_scope x_credential_* x_consumer_* ' +
      'x_anonymous_consumer x_auth_user x_auth_userid x_auth_user_* x_auth_group x_auth_role x_auth_roles x_iisnode_* ms_aspnetcore_*',
    why: 'who is calling, as other proxies say it: Kubernetes, Grafana, oauth2-proxy, Kong, IIS',
  },
  {
    fate: 'forwarded',
    names:
      'x_authentik_* x_pomerium_* x_vouch_* tailscale_user_* cf_access_* x_goog_authenticated_user_* x_goog_iap_* x_amzn_oidc_* ' +
      'x_ms_client_principal* x_ms_token_* x_token_subject x_userinfo x_endpoint_api_userinfo x_apigateway_api_userinfo oidc_* shib_* ' +
      'sm_user* sm_universalid iv_user iv_groups iv_creds oam_remote_user x_idp_* x_sso_* x_proxy_user',
    why: 'who is calling, as a proxy in front may say it that is trusted',
  },
  {
    fate: 'forwarded',
    names:
      'forwarded x_forwarded x_forwarded_* x_real_ip x_real_port client_ip x_client_ip x_clientip true_client_ip x_true_client_ip',
    why: 'who is at the other end (RFC 7239 and what was before it)',
  },
  {
    fate: 'forwarded',
    names:
      'cf_connecting_* cf_pseudo_ipv4 cf_ipcountry cf_visitor fastly_client* fastly_ssl akamai_client_ip x_azure_* x_appengine_* ' +
      'x_envoy_* x_cluster_client_ip x_originating_ip x_proxyuser_ip x_coming_from x_sucuri_clientip incap_client_ip do_connecting_ip ' +
      'fly_client_ip wl_proxy_* x_nf_client_connection_ip x_vercel_* real_ip x_true_ip x_user_ip x_source_ip x_src_ip x_cluster_ip ' +
      'x_real_client_ip x_forward_for x_forwarder_for z_forwarded_for x_custom_ip_authorization cdn_src_ip x_cdn_src_ip ali_cdn_real_ip',
    why: 'the same, as networks of delivery and load balancers say it',
  },
  {
    fate: 'forwarded',
    names: 'x_scheme x_protocol x_ssl x_https x_proxied_https front_end_https x_client_proto x_forwarded_ssl',
    why: 'how the client came: programs build URLs and judge cookies by it',
  },
  {
    fate: 'forwarded',
    names:
      'ssl_* x_ssl_* client_cert client_cert_chain x_client_cert x_client_cert_* x_client_verify x_client_dn x_client_s_dn ' +
      'x_client_certificate* x_tls_client_* tls_client_* x_arr_* x_amzn_mtls_* x_amzn_tls_*',
    why: 'a certificate that the client has shown (RFC 9440 and what was before it)',
  },
]

const BY_NAME: ReadonlyMap<string, FieldFate> = new Map(named((name) => !name.endsWith('*')))
const FAMILIES: readonly (readonly [string, FieldFate])[] = named((name) => name.endsWith('*'))

/** What becomes of a field by its name in CGI form; undefined: nothing here speaks against it. */
export function fieldFate(cgi: string): FieldFate | undefined {
  const exact = BY_NAME.get(cgi)
  if (exact !== undefined) return exact
  const families = FAMILIES.filter(([family]) => cgi.startsWith(family.slice(0, -1)))
  return families.some(([, fate]) => fate === 'never') ? 'never' : families[0]?.[1]
}

function named(wanted: (name: string) => boolean): (readonly [string, FieldFate])[] {
  return FIELDS.flatMap(({ names, fate }) =>
    names
      .split(' ')
      .filter(wanted)
      .map((name) => [name, fate] as const),
  )
}
