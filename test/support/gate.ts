import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type LogLine, startGateway, type TestGateway, until } from './gateway-under-test.ts'
import { type JwksServer, startJwksServer } from './jwks-server.ts'
import { type MintOptions, makeKey, mintToken, type TestKey } from './keys.ts'
import { type Serving, serve } from './serving.ts'
import { type RawAnswer, rawRequest } from './upstreams.ts'

/** The host of `public_url` in a gate's file. */
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

/** A gateway as its clients and its operator see it, wherever it runs; its one issuer is the test's own. */
export interface Gate {
  readonly port: number
  readonly url: string
  readonly managementUrl: string
  /** Holds routes.yaml. */
  readonly folder: string
  readonly key: TestKey
  /** Publishes the issuer's keys; at `/jwks`. */
  readonly jwks: JwksServer
  readonly issuer: string
  /** A good token for `photos:read photos:write` at the photos, but for what the options say. */
  token(options?: MintOptions): string
  ask(path: string, options?: AskOptions): Promise<RawAnswer>
  /** Sends bytes on a connection of their own; a string counts as latin1. */
  send(bytes: string | Uint8Array, host?: string): Promise<RawAnswer>
  /** The text of /metrics. */
  metrics(): Promise<string>
  /** Every line of the log so far. */
  log(): readonly LogLine[]
  /** The log's line of a request, as soon as it is written. */
  line(requestId: string): Promise<LogLine>
  close(): Promise<void>
}

/** A gate that is `audgate serve`. */
export interface ServedGate extends Gate {
  readonly serving: Serving
  /** Saves the file with other routes, and what else is to be other. */
  save(routes: string, around?: Around): void
}

/** A gate that is a part of this process. */
interface InnerGate extends Gate {
  readonly gateway: TestGateway
  /** The text of a file with other routes. */
  yaml(routes: string): string
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

interface GateOptions extends Around {
  readonly env?: Readonly<Record<string, string>>
}

/** Where a suite about the gateway runs: what holds on one mount holds on the other. */
export const mounts = [
  { mount: 'in process', open: openInner },
  { mount: 'served by a process', open: serveGate },
] as const

/** A whole gateway in this process, in front of what `routes` names. */
export async function openInner(routes: string, options: GateOptions = {}): Promise<InnerGate> {
  const jwks = await startJwksServer()
  const yaml = (text: string) => fileOf(jwks.origin, text, options)
  const gateway = await startGateway({ yaml: yaml(routes), env: options.env ?? {} })
  const { port, url, managementUrl, folder } = gateway
  const log = () => gateway.log
  return { gateway, yaml, ...gateAt({ port, url, managementUrl, folder, jwks, log, end: gateway.close }) }
}

/** `audgate serve` as a process of its own, in front of what `routes` names. */
export async function serveGate(routes: string, options: GateOptions = {}): Promise<ServedGate> {
  const jwks = await startJwksServer()
  const yaml = (text: string, around: Around = {}) => fileOf(jwks.origin, text, { ...options, ...around })
  const serving = await serve(yaml(routes), options.env)
  const { url, managementUrl, folder, log, remove } = serving
  if (url === '') throw new Error(`it never listened: ${(await serving.ended()).stderr}`)
  const port = Number(new URL(url).port)
  return {
    serving,
    save: (text, around) => writeFileSync(join(folder, 'routes.yaml'), yaml(text, around)),
    ...gateAt({ port, url, managementUrl, folder, jwks, log, end: remove }),
  }
}

interface Place extends Pick<Gate, 'port' | 'url' | 'managementUrl' | 'folder' | 'jwks' | 'log'> {
  end(): Promise<void>
}

function gateAt({ end, ...place }: Place): Gate {
  const { port, jwks, managementUrl, log } = place
  const key = makeKey()
  jwks.publish('/jwks', [key])
  return {
    ...place,
    key,
    issuer: jwks.origin,
    token: ({ claims, ...rest } = {}) =>
      mintToken(key, { ...rest, claims: { iss: jwks.origin, scope: 'photos:read photos:write', ...claims } }),
    ask: (path, asked) => rawRequest(port, requestText(path, asked)),
    send: (bytes, host) => rawRequest(port, bytes, host),
    metrics: async () => (await fetch(`${managementUrl}/metrics`)).text(),
    line: async (id) => {
      const lineOf = () => log().findLast((line) => line.request_id === id && 'outcome' in line)
      await until(() => lineOf() !== undefined, `the line of request ${id}`)
      return lineOf() ?? {}
    },
    close: async () => {
      await end()
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
