import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type JwksServer, startJwksServer } from './jwks-server.ts'
import { type MintOptions, makeKey, mintToken, type TestKey } from './keys.ts'
import { type Serving, serve } from './serving.ts'
import { type RawAnswer, rawRequest } from './upstreams.ts'

/** The host of `public_url` in {@link blackbox}'s file. */
export const GATE = 'gate.example.com'
export const PHOTOS = `https://${GATE}/photos`
export const FILES = `https://${GATE}/files`

interface AskOptions {
  readonly method?: string
  /** Sent as `Bearer`. */
  readonly token?: string
  /** Field lines as they stand, `Host` included when it is to be another than {@link GATE}. */
  readonly lines?: readonly string[]
  readonly body?: string
}

export interface Blackbox {
  readonly serving: Serving
  readonly port: number
  readonly key: TestKey
  /** Publishes the issuer's keys; at `/jwks`. */
  readonly jwks: JwksServer
  readonly issuer: string
  /** A good token for `photos:read photos:write` at the photos, but for what the options say. */
  token(options?: MintOptions): string
  ask(path: string, options?: AskOptions): Promise<RawAnswer>
  /** The text of /metrics. */
  metrics(): Promise<string>
  /** The log's line of a request, as soon as it is written. */
  line(requestId: string): Promise<Readonly<Record<string, unknown>>>
  /** Saves the file with other routes, and what else is to be other. */
  save(routes: string, around?: Around): void
  close(): Promise<void>
}

/** What stands in the file besides routes. Each is YAML text. */
interface Around {
  /** Top-level keys. */
  readonly settings?: string
  /** Further items of `trusted_issuers`. */
  readonly issuers?: string
  /** Further items of `resources`. */
  readonly resources?: string
  /** Further issuers whose tokens the photos take. */
  readonly trusted?: readonly string[]
}

/** `audgate serve` as a process of its own, in front of what `routes` names; its one issuer is the test's own. */
export async function blackbox(
  routes: string,
  options: Around & { readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Blackbox> {
  const key = makeKey()
  const jwks = await startJwksServer()
  jwks.publish('/jwks', [key])
  const yaml = (text: string, around: Around = {}) => fileOf(jwks.origin, text, { ...options, ...around })
  const serving = await serve(yaml(routes), options.env)
  const port = Number(new URL(serving.url === '' ? 'http://failed.invalid:1' : serving.url).port)
  return {
    serving,
    port,
    key,
    jwks,
    issuer: jwks.origin,
    token: ({ claims, ...rest } = {}) =>
      mintToken(key, { ...rest, claims: { iss: jwks.origin, scope: 'photos:read photos:write', ...claims } }),
    ask: (path, asked) => rawRequest(port, requestText(path, asked)),
    metrics: async () => (await fetch(`${serving.managementUrl}/metrics`)).text(),
    line: (id) => lineOf(serving, id),
    save: (text, around) => writeFileSync(join(serving.folder, 'routes.yaml'), yaml(text, around)),
    close: async () => {
      await serving.remove()
      await jwks.close()
    },
  }
}

/** A request's bytes. */
export function requestText(path: string, { method = 'GET', token, lines = [], body }: AskOptions = {}): string {
  const all = [...lines]
  if (!lines.some((line) => /^host:/i.test(line))) all.unshift(`Host: ${GATE}`)
  if (token !== undefined) all.push(`Authorization: Bearer ${token}`)
  if (body !== undefined) all.push(`Content-Length: ${Buffer.byteLength(body, 'latin1')}`)
  return `${method} ${path} HTTP/1.1\r\n${all.join('\r\n')}\r\n\r\n${body ?? ''}`
}

/** A protected route `id` below `/id`, for the photos. */
export function routeOf(id: string, upstream: string, more = ''): string {
  return `
  - id: ${id}
    path: /${id}
    resource: ${PHOTOS}
    upstream: ${upstream}
    rules:
      - { methods: [read], scopes: [photos:read] }
      - { methods: [write], scopes: [photos:write] }
${more}`
}

async function lineOf(serving: Serving, id: string): Promise<Readonly<Record<string, unknown>>> {
  for (const deadline = Date.now() + 5_000; Date.now() < deadline; ) {
    const found = serving.log().find((line) => line.request_id === id && 'outcome' in line)
    if (found !== undefined) return found
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error(`no line of request ${id} in ${JSON.stringify(serving.log())}`)
}

function fileOf(issuer: string, routes: string, around: Around): string {
  const { settings = '', issuers = '', resources = '', trusted = [] } = around
  return `
public_url: https://${GATE}
${settings.includes('listen:') ? '' : 'listen: 127.0.0.1:0'}
${settings.includes('management:') ? '' : 'management: 127.0.0.1:0'}
issuer: false
${settings}
trusted_issuers:
  - issuer: ${issuer}
    jwks_uri: ${issuer}/jwks
    algorithms: [ES256]
    claims: { groups: groups, username: username, scope: scope, client: client_id }
${issuers}
resources:
  - id: ${PHOTOS}
    name: Photo library
    scopes: { photos:read: See photos, photos:write: Change photos }
    issuers: ${JSON.stringify([issuer, ...trusted])}
  - id: ${FILES}
    name: Files
    scopes: { files:read: See files, files:write: Change files }
    issuers: ["${issuer}"]
${resources}
routes:
${routes}
`
}
