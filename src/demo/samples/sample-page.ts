import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { send } from './sample-server.ts'

const STYLE = readFileSync(new URL('./site/sample.css', import.meta.url), 'utf8')
const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64')

/** Sends a chosen file where its form says, as programs do, and shows the page anew. */
const SCRIPT = `for (const form of document.querySelectorAll('form[data-to]')) {
  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    const [file] = form.elements.file.files
    const answer = await fetch(form.dataset.to + encodeURIComponent(file.name), { method: form.dataset.by, body: file })
    if (answer.ok) location.reload()
    else form.querySelector('output').textContent = 'Not sent: the answer was ' + answer.status + '.'
  })
}`
const SCRIPT_HASH = createHash('sha256').update(SCRIPT).digest('base64')

/** What a server behind the gateway learns about who calls. */
interface WhoAmI {
  /** From whichever identity header came; undefined: nobody said. */
  readonly username: string | undefined
  /** Every header by which a gateway says who calls and from where, as received. */
  readonly headers: Readonly<Record<string, string>>
  /** Whether a credential came along. It should not: the caller's token stops at the gateway. The value is never shown. */
  readonly authorization: 'absent' | 'present'
}

const IDENTITY = /^(x-auth-|remote-|x-forwarded-|x-webauth-|x-request-id$|x-real-ip$|forwarded$)/
const NAMES = ['x-auth-username', 'remote-user', 'x-forwarded-preferred-username', 'x-forwarded-user', 'x-webauth-user']

/** A form that uploads a file. @param to Where to; the file's name is added. */
export function uploadForm(title: string, by: 'POST' | 'PUT', to: string): string {
  return `<section aria-labelledby="upload"><h2 id="upload">${escapeHtml(title)}</h2>
<form data-by="${by}" data-to="${escapeHtml(to)}"><label>File <input type="file" name="file" required></label> <button type="submit">Upload</button> <output></output></form></section>`
}

/** Sends a page of a sample server: complete in itself, its style inside. `body` is HTML of ours, values escaped. */
export function sendSamplePage(response: ServerResponse, title: string, body: string): void {
  const csp = `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; script-src 'sha256-${SCRIPT_HASH}'; connect-src 'self'; img-src 'self'; media-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`
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
<script>${SCRIPT}</script>
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
<table class="told"><thead><tr><th scope="col">Header</th><th scope="col">Value</th></tr></thead><tbody>${rows.join('')}</tbody></table>
</section>`
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`)
}

/** Reads the identity headers of a request. Believes them: nobody but the gateway may reach a sample server. */
export function whoAmI({ headers }: IncomingMessage): WhoAmI {
  const shown = Object.entries(headers).filter(([name]) => IDENTITY.test(name))
  const name = NAMES.map((each) => headers[each]).find((value) => typeof value === 'string')
  return {
    username: typeof name === 'string' ? name : undefined,
    headers: Object.fromEntries(shown.map(([key, value]) => [key, String(value)])),
    authorization: headers.authorization === undefined ? 'absent' : 'present',
  }
}

/** The path under which clients reach this server (`X-Forwarded-Prefix`), '' where it is none or not a plain path. */
export function clientPrefix({ headers }: IncomingMessage): string {
  const prefix = headers['x-forwarded-prefix']
  return typeof prefix === 'string' && /^(\/[\w.~-]+)+$/.test(prefix) ? prefix : ''
}
