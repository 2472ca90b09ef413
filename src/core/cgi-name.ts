/**
 * A field name as CGI programs see it (RFC 3875 §4.1.18): every byte other than a letter or digit is `_`, in lower case.
 * `x_auth_user`, `X.Auth.User` and `X-Auth-User` are one name.
 */
export function cgiName(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '_')
}
