import { MARK_PATH, STYLESHEET_PATH } from '../assets.ts'
import { type Html, html, htmlText } from './html.ts'

/** What every page has. */
export interface PageFrame {
  /** The host that people see in the address bar, with its port where it has one: `gate.example.com`. */
  readonly site: string
}

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
<title>${title} · ${frame.site}</title>
<link rel="stylesheet" href="${STYLESHEET_PATH}">
<link rel="icon" type="image/svg+xml" href="${MARK_PATH}">
</head>
<body class="${width}">
<header class="site"><img class="mark" src="${MARK_PATH}" alt="" width="32" height="32"><span>${frame.site}</span></header>
<main class="${width === 'card' ? 'card' : 'sheet'}">
${content}
</main>
</body>
</html>
`)
}
