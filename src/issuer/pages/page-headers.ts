/**
 * The headers that every page is sent with, by lower-case name. `formAction`: further CSP sources that forms may lead to, besides
 * this origin; Chromium holds redirects after a form to them too, so a page whose form ends at a client names that client's
 * redirect origin (or scheme). Each is one source expression; one with white space, `;` or `,` throws.
 */
export function pageHeaders(
  options: { readonly formAction?: readonly string[] } = {},
): Readonly<Record<string, string>> {
  const sources = options.formAction ?? []
  const unfit = sources.find((source) => !/^[!-+\--:<-~]+$/.test(source))
  if (unfit !== undefined) throw new Error(`not one CSP source: ${JSON.stringify(unfit)}`)
  return {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': [
      "default-src 'none'",
      "style-src 'self'",
      "img-src 'self' data:",
      "base-uri 'none'",
      "frame-ancestors 'none'",
      `form-action ${["'self'", ...sources].join(' ')}`,
    ].join('; '),
    'x-frame-options': 'DENY',
    'x-content-type-options': 'nosniff',
    // Nothing for other sites. With `no-referrer` browsers send `Origin: null` with our own forms, too.
    'referrer-policy': 'same-origin',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=(), browsing-topics=()',
    'cache-control': 'no-store',
  }
}
