import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Config } from '../../src/config/config.ts'
import { decodeConfig } from '../../src/config/load.ts'
import { logTo } from '../../src/observe/log.ts'
import { createServer, type Server } from '../../src/server/server.ts'
import { type MintOptions, makeKey, mintToken, TEST_ISSUER, type TestKey } from './keys.ts'

export type LogLine = Readonly<Record<string, unknown>>

interface GatewayOptions {
  /** routes.yaml. `listen` is put before it unless it says one; `$KEYS` stands for a file with the keys of {@link TEST_ISSUER}. */
  readonly yaml: string
  readonly env?: Readonly<Record<string, string>>
  /** Milliseconds since the epoch. */
  readonly now?: () => number
  /** Puts files beside routes.yaml before the start. */
  readonly prepare?: (folder: string) => void
}

export interface TestGateway {
  readonly server: Server
  /** `http://127.0.0.1:port`. */
  readonly url: string
  readonly port: number
  readonly managementUrl: string
  /** Holds routes.yaml and what it names. */
  readonly folder: string
  /** Signs for {@link TEST_ISSUER}. */
  readonly key: TestKey
  /** A good access token for `photos:read` at the photos, but for what the options say. */
  token(options?: MintOptions): string
  /** Every line of the log so far. */
  readonly log: readonly LogLine[]
  /** Lines of requests. */
  requests(): readonly LogLine[]
  /** Checks another text of the file; throws with its problems. */
  decode(yaml: string): Config
  close(): Promise<void>
}

/** The resource that most tests ask for; {@link photosRoute} enforces it. */
export const PHOTOS = 'https://gate.example.com/photos'

/** A file with a trusted issuer in place of the embedded one, the photos and the files as resources, and the given routes. */
export function yamlOf(routes: string, settings = ''): string {
  return `
public_url: https://gate.example.com
management: 127.0.0.1:0
${settings}
issuer: false
trusted_issuers:
  - issuer: ${TEST_ISSUER}
    jwks_file: $KEYS
    algorithms: [ES256]
    claims: { groups: groups, username: username, scope: scope, client: client_id }
resources:
  - id: ${PHOTOS}
    name: Photo library
    scopes: { photos:read: See photos, photos:write: Change photos }
    issuers: ["${TEST_ISSUER}"]
  - id: https://gate.example.com/files
    name: Files
    scopes: { files:read: See files, files:write: Change files }
    issuers: ["${TEST_ISSUER}"]
routes:
${routes}
`
}

/** A protected route `/photos` to `upstream`; `more` are further lines of it. */
export function photosRoute(upstream: string, more = ''): string {
  return `
  - id: photos
    path: /photos
    resource: ${PHOTOS}
    upstream: ${upstream}
    rules:
      - { methods: [read], scopes: [photos:read] }
      - { methods: [write], scopes: [photos:write] }
${more}`
}

/** A whole gateway on loopback, its log kept in memory. */
export async function startGateway(options: GatewayOptions): Promise<TestGateway> {
  const folder = mkdtempSync(join(tmpdir(), 'audgate-gateway-'))
  const key = makeKey()
  const keysFile = join(folder, 'keys.json')
  writeFileSync(keysFile, JSON.stringify({ keys: [key.publicJwk] }))
  const file = join(folder, 'routes.yaml')
  const decode = (yaml: string): Config => {
    const listening = yaml.includes('\nlisten:') ? yaml : `listen: 127.0.0.1:0\n${yaml}`
    const text = listening.replaceAll('$KEYS', keysFile)
    writeFileSync(file, text)
    const result = decodeConfig(text, file, {
      AUDGATE_SECRET: 'a secret for tests that is long enough',
      ...options.env,
    })
    if (result.ok) return result.config
    throw new Error(result.problems.map(({ line, column, message }) => `${line}:${column}: ${message}`).join('\n'))
  }
  options.prepare?.(folder)
  const log: LogLine[] = []
  const sink = { write: (line: string) => log.push(JSON.parse(line)) }
  const server = await createServer(decode(options.yaml), { log: logTo(sink), now: options.now ?? Date.now })
  const port = server.addresses[0]?.port ?? 0
  const scheme = server.config.tls === undefined ? 'http' : 'https'
  return {
    server,
    port,
    url: `${scheme}://127.0.0.1:${port}`,
    managementUrl: `http://127.0.0.1:${server.management?.port ?? 0}`,
    folder,
    key,
    token: (mint) => mintToken(key, mint),
    log,
    requests: () => log.filter((line) => 'outcome' in line),
    decode,
    close: async () => {
      await server.close(2_000)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Waits until `probe` is true; fails after `ms`. */
export async function until(probe: () => boolean | Promise<boolean>, what: string, ms = 5_000): Promise<void> {
  const deadline = Date.now() + ms
  while (!(await probe())) {
    if (Date.now() > deadline) throw new Error(`waited ${ms} ms in vain: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
