import type { Denial } from './denial.ts'

export interface AnswerPage {
  readonly body: string
  readonly contentType: string
  readonly contentSecurityPolicy: string
}

/** The page's only style, inline. {@link STYLE_HASH} belongs to it. */
export const STYLE = `:root{color-scheme:light dark;--ink:#1b1f24;--soft:#59636e;--line:#d1d9e0;--page:#fff}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9198a1;--line:#3d444d;--page:#0d1117}}
body{margin:0;padding:12vh 1.5rem 2rem;background:var(--page);color:var(--ink);font:1rem/1.5 system-ui,sans-serif}
main{max-width:36rem;margin:0 auto}
h1{font-size:1.5rem;margin:0 0 .5rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem;margin:2rem 0 0;padding-top:1rem;border-top:1px solid var(--line);color:var(--soft)}
dd{margin:0;overflow-wrap:anywhere}`

/** SHA-256 of {@link STYLE}, base64, as its Content-Security-Policy source. */
export const STYLE_HASH = 'sha256-M5AHyPGPBQaU7anhLdj5tys2KMfXf1REejvIq3iywpQ='

// What a person can do about it; programs read the problem document.
const ADVICE: Readonly<Record<number, string>> = {
  400: 'The address could not be understood. Check it, or go back to the page you came from.',
  401: 'This service is used through an app that signs you in. Open it from there.',
  403: 'You are signed in, but this is not yours to see. Ask whoever runs this service.',
  404: 'There is nothing at this address.',
  405: 'This cannot be done at this address.',
  502: 'The service behind this gateway does not answer as it should. Try again in a while.',
  503: 'This gateway cannot check who you are just now. Try again in a moment.',
  504: 'The service behind this gateway took too long. Try again in a while.',
}

/** A small page without scripts or anything from elsewhere, for light and dark screens. ASCII only. */
export function renderPage(denied: Denial, title: string, requestId: string): AnswerPage {
  const advice = ADVICE[denied.status] ?? 'The request was refused.'
  const body = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${denied.status} ${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
<p>${advice}</p>
<dl>
<dt>Why</dt><dd>${escapeHtml(denied.description)}</dd>
<dt>Reason</dt><dd>${escapeHtml(denied.reason)}</dd>
<dt>Request</dt><dd>${escapeHtml(requestId)}</dd>
</dl>
</main>
</body>
</html>
`
  return {
    body,
    contentType: 'text/html; charset=utf-8',
    contentSecurityPolicy: `default-src 'none'; style-src '${STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  }
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`)
}
