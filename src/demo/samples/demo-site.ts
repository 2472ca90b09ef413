import { readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { escapeHtml } from './sample-page.ts'
import { Refusal, type SampleOptions, type SampleServer, send, startSample, targetOf } from './sample-server.ts'

interface DemoSiteOptions extends SampleOptions {
  /** Where people reach the gateway, `http://localhost:8080` in the shipped routes.yaml; stands in the commands. */
  readonly publicUrl: string
}

const HTML = 'text/html; charset=utf-8'
const SCRIPT = 'text/javascript; charset=utf-8'
const FILES: ReadonlyMap<string, readonly [string, string]> = new Map([
  ['/', ['index.html', HTML]],
  ['/demo/', ['gallery.html', HTML]],
  ['/demo/print-shop/', ['gallery.html', HTML]],
  ['/demo/site.css', ['site.css', 'text/css; charset=utf-8']],
  ['/demo/start.js', ['start.js', SCRIPT]],
  ['/demo/gallery.js', ['gallery.js', SCRIPT]],
  ['/demo/sign-in.js', ['sign-in.js', SCRIPT]],
  ['/demo/show.js', ['show.js', SCRIPT]],
])

/** What the app's page says, by its path; each is a client of its own. */
const APPS: ReadonlyMap<string, Readonly<Record<string, string>>> = new Map([
  [
    '/demo/',
    {
      CLIENT_ID: 'gallery-spa',
      PHOTO_SCOPES: 'photos:read',
      APP_NAME: 'Gallery',
      APP_LEAD: 'A sample app without a server of its own. All that it has is what you allow it.',
    },
  ],
  [
    '/demo/print-shop/',
    {
      CLIENT_ID: 'print-shop',
      PHOTO_SCOPES: 'photos:read photos:write',
      APP_NAME: 'Print shop',
      APP_LEAD: 'A sample app of somebody else. You are asked before it gets anything, and may leave things out.',
    },
  ],
])

const HEADERS = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' blob:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
}

/**
 * The demo's own pages, for a public route at `/`: the start page with what to try, and under `/demo/` and
 * `/demo/print-shop/` an app that signs in by PKCE and shows the album, as clients `gallery-spa` and `print-shop`. Their stylesheet comes from the issuer's `/oauth/assets/audgate.css`.
 */
export function startDemoSite(options: DemoSiteOptions): Promise<SampleServer> {
  return startSample((request, response) => answer(options.publicUrl, request, response), options)
}

async function answer(publicUrl: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname } = targetOf(request)
  if (request.method !== 'GET' && request.method !== 'HEAD') throw new Refusal(405, 'these pages are only read')
  if (APPS.has(`${pathname}/`)) {
    response.writeHead(308, { location: `${pathname}/` }).end()
    return
  }
  const [name, type] = FILES.get(pathname) ?? []
  if (name === undefined || type === undefined) throw new Refusal(404, 'there is nothing here; begin at /')
  const text = await readFile(new URL(`./site/${name}`, import.meta.url), 'utf8')
  const words: Readonly<Record<string, string>> = { ...APPS.get(pathname), ...addresses(publicUrl) }
  const filled = text.replace(/\{\{(\w+)\}\}/g, (_, key: string) => escapeHtml(words[key] ?? ''))
  send(response, 200, { ...HEADERS, 'content-type': type }, filled)
}

/** The gateway's, and those at which browsers open the sample servers. */
function addresses(publicUrl: string): Readonly<Record<string, string>> {
  const { protocol, port } = new URL(publicUrl)
  const at = (host: string): string => `${protocol}//${host}${port === '' ? '' : `:${port}`}/`
  return { PUBLIC_URL: publicUrl, PHOTOS_URL: at('photos.localhost'), FILES_URL: at('files.localhost') }
}
