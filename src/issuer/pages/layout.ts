import { MARK_PATH, STYLESHEET_PATH } from './assets.ts'
import { type Html, html, htmlText, trustedHtml } from './html.ts'
import { plainWords } from './words.ts'

/** What every page has. */
export interface PageFrame {
  /** The host that people see in the address bar, with its port where it has one: `gate.example.com`. */
  readonly site: string
  /** Where the page leads at once and by itself. */
  readonly leadsTo?: string | undefined
  /** The part of the address behind `#`, which no server sees, goes along to where the page leads. */
  readonly keepsFragment?: boolean
}

/**
 * Puts the fragment behind where the page's form leads, or its one link. The only script of our pages; they work without it.
 * {@link FRAGMENT_SCRIPT_HASH} belongs to it.
 */
const FRAGMENT_SCRIPT = `if (location.hash.length > 1) {
  for (const form of document.forms) if (!form.action.includes('#')) form.action += location.hash
  const link = document.querySelector('a.onward')
  if (link && !link.href.includes('#')) location.replace(link.href + location.hash)
}`

/** SHA-256 of {@link FRAGMENT_SCRIPT}, base64, as its Content-Security-Policy source. */
export const FRAGMENT_SCRIPT_HASH = 'sha256-r8VqC+6SSIoFUBy4QWryNa+070eIk0lVI+lu52Ijzj8='

/**
 * A complete document of ours. `wide`: more than one question on it, such as the account page. `title` is the document's title, the
 * site is added; `content` starts with the one h1.
 */
export function pageDocument(frame: PageFrame, title: string, content: Html, width: 'card' | 'wide' = 'card'): string {
  return htmlText(html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
${frame.leadsTo !== undefined && html`<meta http-equiv="refresh" content="0; url=${frame.leadsTo}">`}
<title>${title} · ${frame.site}</title>
<link rel="stylesheet" href="${STYLESHEET_PATH}">
<link rel="icon" type="image/svg+xml" href="${MARK_PATH}">
</head>
<body class="${width}">
<header class="site"><img class="mark" src="${MARK_PATH}" alt="" width="32" height="32"><span>${frame.site}</span></header>
<main class="${width === 'card' ? 'card' : 'sheet'}">
${content}
</main>
${frame.keepsFragment === true && trustedHtml(`<script>${FRAGMENT_SCRIPT}</script>`)}
</body>
</html>
`)
}

/** Something to say above the page's content. */
export interface Notice {
  /** `done`: it was carried out · `problem`: it was not · `note`: worth knowing. */
  readonly kind: 'done' | 'problem' | 'note'
  readonly text: string
}

/** Problems are alerts for screen readers; the rest is read in its place. */
export function notices(all: readonly Notice[]): Html {
  return html`${all.map(({ kind, text }) => (kind === 'problem' ? problemNotice(text) : html`<p class="notice ${kind}">${plainWords(text, 500)}</p>`))}`
}

/** What went wrong, as an alert. `text` may hold what came from outside. */
export function problemNotice(text: string): Html {
  return html`<p class="notice problem" role="alert">${plainWords(text, 500)}</p>`
}
