/** The page's only style, inline. {@link STYLE_HASH} belongs to it. */
export const STYLE = `:root{color-scheme:light dark;--ink:#1b1f24;--soft:#59636e;--line:#d1d9e0;--page:#fff}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9198a1;--line:#3d444d;--page:#0d1117}}
body{margin:0;padding:12vh 1.5rem 2rem;background:var(--page);color:var(--ink);font:1rem/1.5 system-ui,sans-serif}
main{max-width:36rem;margin:0 auto}
h1{font-size:1.5rem;margin:0 0 .5rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem;margin:2rem 0 0;padding-top:1rem;border-top:1px solid var(--line);color:var(--soft)}
dd{margin:0;overflow-wrap:anywhere}
span{white-space:nowrap}
a,button{color:inherit;font:inherit}
button{padding:.5rem 1rem;border:1px solid var(--line);border-radius:.375rem;background:none;cursor:pointer}`

/** SHA-256 of {@link STYLE}, base64, as its Content-Security-Policy source. */
export const STYLE_HASH = 'sha256-Po/YyFpzO6TDfXOlwkjEhGrOZ9rPkmVxb3xvW2C6w5k='

/** The script of a page that goes on by itself: the fragment, which no server sees, goes along. {@link SCRIPT_HASH} belongs to it. */
export const SCRIPT = `const link = document.querySelector('a.go')
location.replace(link.href + location.hash)`

/** SHA-256 of {@link SCRIPT}, base64, as its Content-Security-Policy source. */
export const SCRIPT_HASH = 'sha256-csY9R+Ij0aDZdELstdSBJ9ayjXhEWPbcuNS5au+ZA7E='

export interface PageWords {
  /** Of the document; the heading too. */
  readonly title: string
  readonly status: number
  readonly paragraphs: readonly string[]
  /** Names and what they are, and where more is said of it. */
  readonly facts: readonly (readonly [name: string, value: string, href?: string])[]
  /** Where the person can go. */
  readonly link?: PageLink | undefined
  /** A form that posts to a path of this origin. */
  readonly form?: { readonly action: string; readonly button: string } | undefined
  /** Pages of others may show it inside of theirs: it holds nothing but a link. */
  readonly framed?: boolean
}

interface PageLink {
  readonly href: string
  readonly label: string
  /** It leaves the frame that it stands in. */
  readonly top?: boolean
  readonly newTab?: boolean
  /** The page goes there by itself. */
  readonly follows?: boolean
}

export interface AnswerPage {
  readonly body: string
  readonly contentType: string
  readonly contentSecurityPolicy: string
}

/** A small page without anything from elsewhere, for light and dark screens. ASCII only. */
export function renderPage(words: PageWords): AnswerPage {
  const { title, status, paragraphs, facts, link, form, framed } = words
  const follows = link?.follows === true
  const body = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
${follows ? `<meta http-equiv="refresh" content="1; url=${escapeHtml(link.href)}">\n` : ''}<title>${status === 200 ? '' : `${status} `}${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${wordsHtml(title)}</h1>
${paragraphs.map((text) => `<p>${wordsHtml(text)}</p>\n`).join('')}${form === undefined ? '' : formHtml(form)}${link === undefined ? '' : linkHtml(link)}${facts.length === 0 ? '' : factsHtml(facts)}</main>
${follows ? `<script>${SCRIPT}</script>\n` : ''}</body>
</html>
`
  return { body, contentType: 'text/html; charset=utf-8', contentSecurityPolicy: policyOf(words, follows, framed) }
}

function policyOf({ form }: PageWords, follows: boolean, framed: boolean | undefined): string {
  return [
    `default-src 'none'; style-src '${STYLE_HASH}'`,
    ...(follows ? [`script-src '${SCRIPT_HASH}'`] : []),
    `base-uri 'none'; form-action ${form === undefined ? "'none'" : "'self'"}`,
    ...(framed === true ? [] : ["frame-ancestors 'none'"]),
  ].join('; ')
}

function linkHtml({ href, label, top, newTab }: PageLink): string {
  const target = top === true ? ' target="_top"' : newTab === true ? ' target="_blank" rel="noopener"' : ''
  return `<p><a class="go" href="${escapeHtml(href)}"${target}>${escapeHtml(label)}</a></p>\n`
}

function formHtml({ action, button }: NonNullable<PageWords['form']>): string {
  return `<form method="post" action="${escapeHtml(action)}"><button type="submit">${escapeHtml(button)}</button></form>\n`
}

function factsHtml(facts: PageWords['facts']): string {
  const rows = facts.map(([name, value, href]) => {
    const text = escapeHtml(value)
    const shown = href === undefined ? text : `<a href="${escapeHtml(href)}">${text}</a>`
    return `<dt>${escapeHtml(name)}</dt><dd>${shown}</dd>\n`
  })
  return `<dl>\n${rows.join('')}</dl>\n`
}

/** Browsers break lines behind a hyphen, too: a short word with one, as `sign-in`, stays whole. */
function wordsHtml(text: string): string {
  return escapeHtml(text).replace(/(^|\s)(\w{1,8}-\w{1,8})(?=[\s.,:;]|$)/g, '$1<span>$2</span>')
}

/** Characters beyond ASCII too, so that a body has as many bytes as characters. */
function escapeHtml(text: string): string {
  return text.replace(/[&<>"']|[^\x00-\x7f]/gu, (char) => `&#${char.codePointAt(0)};`)
}
