import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { send } from './sample-server.ts'
import type { WhoAmI } from './whoami.ts'

const STYLE = readFileSync(new URL('./site/sample.css', import.meta.url), 'utf8')
const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64')

/** Sends a page of a sample server: complete in itself, its style inside. `body` is HTML of ours, values escaped. */
export function sendSamplePage(response: ServerResponse, title: string, body: string): void {
  const csp = `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`
  const headers = { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': csp }
  const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
${body}
</main>
</body>
</html>
`
  send(response, 200, headers, page)
}

/** The section that shows what this server was told about its caller. */
export function identitySection({ username, headers, authorization }: WhoAmI): string {
  const rows = Object.entries(headers).map(
    ([name, value]) => `<tr><th scope="row"><code>${escapeHtml(name)}</code></th><td>${escapeHtml(value)}</td></tr>`,
  )
  const who =
    username === undefined
      ? 'Nobody told me who you are.'
      : `I was told that you are <strong>${escapeHtml(username)}</strong>.`
  const token = authorization === 'absent' ? 'No token reached me.' : 'A credential reached me; its value is not shown.'
  return `<section aria-labelledby="identity">
<h2 id="identity">What I was told</h2>
<p>${who} ${token}</p>
<table><thead><tr><th scope="col">Header</th><th scope="col">Value</th></tr></thead><tbody>${rows.join('')}</tbody></table>
</section>`
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`)
}
