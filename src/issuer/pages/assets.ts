import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

/** An answer to a request for one of the assets, ready to be written. */
interface AssetAnswer {
  readonly status: 200 | 304
  readonly headers: Readonly<Record<string, string>>
  /** Empty for 304. The caller leaves it out for HEAD. */
  readonly body: Buffer
}

interface Asset {
  /** `/oauth/assets/NAME.HASH.EXT`: what is behind it never changes. */
  readonly path: string
  /** `/oauth/assets/NAME.EXT`, for pages outside of the issuer: asked for anew each time. */
  readonly plainPath: string
  readonly contentType: string
  readonly etag: string
  readonly body: Buffer
}

// One stylesheet from several files, in the order of the cascade.
const STYLES = ['tokens.css', 'layout.css', 'text.css', 'forms.css', 'parts.css']

const stylesheet = asset('audgate', 'css', 'text/css; charset=utf-8', STYLES)
const mark = asset('mark', 'svg', 'image/svg+xml', ['mark.svg'])
const officeStyle = asset('office', 'css', 'text/css; charset=utf-8', [...STYLES, 'office.css'])
const officeScript = asset('office', 'js', 'text/javascript; charset=utf-8', ['office.js', 'copy.js'])
const passkeyScript = asset('passkey', 'js', 'text/javascript; charset=utf-8', ['passkey.js'])
const copyScript = asset('copy', 'js', 'text/javascript; charset=utf-8', ['copy.js'])
const revealScript = asset('reveal', 'js', 'text/javascript; charset=utf-8', ['reveal.js'])
const ALL = [stylesheet, mark, officeStyle, officeScript, passkeyScript, copyScript, revealScript]

/** The operator's stylesheet: the people's, and denser parts. */
export const OFFICE_STYLESHEET_PATH = officeStyle.path
export const OFFICE_SCRIPT_PATH = officeScript.path
/** What asks the browser for a passkey. */
export const PASSKEY_SCRIPT_PATH = passkeyScript.path
/** What puts a button behind each `data-copy`. */
export const COPY_SCRIPT_PATH = copyScript.path
/** What shows a new password to whoever types it, on demand. */
export const REVEAL_SCRIPT_PATH = revealScript.path
/** Where pages find the stylesheet; carries a hash of its content. */
export const STYLESHEET_PATH = stylesheet.path
/** Where pages find the mark; carries a hash of its content. */
export const MARK_PATH = mark.path

/**
 * The answer to GET or HEAD of `path` (without query), undefined where no asset has it. The paths with a hash may be kept for a
 * year; `/oauth/assets/audgate.css` and `/oauth/assets/mark.svg` have to be asked for again.
 */
export function answerAsset(path: string, ifNoneMatch: string | undefined): AssetAnswer | undefined {
  const found = ALL.find((each) => each.path === path || each.plainPath === path)
  if (found === undefined) return undefined
  const headers = {
    'cache-control': path === found.path ? 'public, max-age=31536000, immutable' : 'public, no-cache',
    etag: found.etag,
    'x-content-type-options': 'nosniff',
    'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
    'cross-origin-resource-policy': 'same-origin',
  }
  if (ifNoneMatch?.includes(found.etag) === true) return { status: 304, headers, body: Buffer.alloc(0) }
  const content = { 'content-type': found.contentType, 'content-length': String(found.body.length) }
  return { status: 200, headers: { ...headers, ...content }, body: found.body }
}

function asset(name: string, extension: string, contentType: string, files: readonly string[]): Asset {
  const body = Buffer.concat(files.map((file) => readFileSync(new URL(`../assets/${file}`, import.meta.url))))
  const hash = createHash('sha256')
    .update(body)
    .digest('base64url')
    .replace(/[^A-Za-z0-9]/g, '')
    .slice(0, 12)
  return {
    path: `/oauth/assets/${name}.${hash}.${extension}`,
    plainPath: `/oauth/assets/${name}.${extension}`,
    contentType,
    etag: `"${hash}"`,
    body,
  }
}
