import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { type Contestant, startPinned } from './processes.ts'
import { ISSUER, type Minter, RESOURCE, SCOPE } from './tokens.ts'

/** The core of the program under measurement, and the core of load and upstream. */
export const MEASURED_CORE = 0
export const LOAD_CORE = 1

export interface Entry {
  readonly name: string
  readonly url: string
  readonly checksTokens: boolean
  readonly process: Contestant
}

/** A port that was free a moment ago, on loopback. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() =>
        address !== null && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port')),
      )
    })
  })
}

/** nginx with files of the given sizes, on the load's core. */
export async function startUpstream(folder: string): Promise<{ port: number; process: Contestant }> {
  const root = `${folder}/files`
  mkdirSync(root, { recursive: true })
  for (const [name, bytes] of [
    ['1k', 1_024],
    ['64k', 65_536],
    ['10m', 10_485_760],
  ] as const) {
    writeFileSync(`${root}/${name}`, Buffer.alloc(bytes, 'a'))
  }
  const port = await freePort()
  const conf = nginxConf(
    folder,
    'upstream',
    `
    server {
      listen 127.0.0.1:${port};
      root ${root};
      location / { }
    }`,
  )
  return { port, process: await startPinned(LOAD_CORE, ['nginx', '-c', conf, '-p', folder], port) }
}

/** Where uploads end, on the load's core. */
export async function startSink(): Promise<{ port: number; process: Contestant }> {
  const port = await freePort()
  const script = new URL('sink.ts', import.meta.url).pathname
  return { port, process: await startPinned(LOAD_CORE, [process.execPath, script, String(port)], port) }
}

/** Plain proxying without any check: the limit we look at. */
export async function startNginx(folder: string, upstreamPort: number): Promise<Entry> {
  const port = await freePort()
  const conf = nginxConf(
    folder,
    'nginx',
    `
    upstream files { server 127.0.0.1:${upstreamPort}; keepalive 128; keepalive_requests 1000000000; keepalive_time 1h; }
    server {
      listen 127.0.0.1:${port};
      client_max_body_size 0;
      location / {
        proxy_pass http://files; proxy_http_version 1.1; proxy_set_header Connection "";
        proxy_request_buffering off; proxy_max_temp_file_size 0;
      }
    }`,
  )
  return entry('nginx, plain', port, false, await startPinned(MEASURED_CORE, ['nginx', '-c', conf, '-p', folder], port))
}

/** HAProxy with signature, issuer, audience, lifetime and scope checked on every request. */
export async function startHaproxy(folder: string, upstreamPort: number, minter: Minter): Promise<Entry> {
  const port = await freePort()
  const file = `${folder}/haproxy.cfg`
  writeFileSync(
    file,
    `
global
  nbthread 1
  maxconn 8000
defaults
  mode http
  timeout connect 5s
  timeout client 75s
  timeout server 75s
  timeout http-keep-alive 75s
  option http-keep-alive
  http-reuse always
frontend gate
  bind 127.0.0.1:${port}
  http-request set-var(txn.alg) http_auth_bearer,jwt_header_query('$.alg')
  http-request set-var(txn.iss) http_auth_bearer,jwt_payload_query('$.iss')
  http-request set-var(txn.aud) http_auth_bearer,jwt_payload_query('$.aud')
  http-request set-var(txn.exp) http_auth_bearer,jwt_payload_query('$.exp','int')
  http-request set-var(txn.scope) http_auth_bearer,jwt_payload_query('$.scope')
  http-request set-var(txn.now) date()
  http-request deny deny_status 401 unless { var(txn.alg) -m str ES256 }
  http-request deny deny_status 401 unless { var(txn.iss) -m str ${ISSUER} }
  http-request deny deny_status 401 unless { var(txn.aud) -m str ${RESOURCE} }
  http-request deny deny_status 401 if { var(txn.exp),sub(txn.now) -m int lt 0 }
  http-request deny deny_status 403 unless { var(txn.scope) -m sub ${SCOPE} }
  http-request deny deny_status 401 unless { http_auth_bearer,jwt_verify(txn.alg,"${minter.pemFile}") -m int 1 }
  default_backend files
backend files
  server a 127.0.0.1:${upstreamPort}
`,
  )
  return entry(
    'HAProxy, jwt_verify ES256',
    port,
    true,
    await startPinned(MEASURED_CORE, ['haproxy', '-db', '-f', file], port),
  )
}

/** Fastify with @fastify/http-proxy and jose on every request, as a user would write it. */
export async function startFastify(folder: string, upstreamPort: number, minter: Minter): Promise<Entry> {
  const port = await freePort()
  const script = new URL('fastify-gateway.ts', import.meta.url).pathname
  const args = [String(port), `http://127.0.0.1:${upstreamPort}`, minter.jwksFile, ISSUER, RESOURCE, SCOPE]
  mkdirSync(folder, { recursive: true })
  return entry(
    'Fastify + @fastify/http-proxy + jose',
    port,
    true,
    await startPinned(MEASURED_CORE, [process.execPath, script, ...args], port),
  )
}

export interface AudgateOptions {
  readonly workers: number
  readonly accessLog: 'all' | 'off'
  /** Cores that it may run on, as taskset takes them. */
  readonly port?: number
}

/** The routes.yaml of the run. */
export async function audgateFile(
  folder: string,
  upstreamPort: number,
  minter: Minter,
  options: AudgateOptions,
): Promise<{ file: string; port: number; management: number }> {
  const port = options.port ?? (await freePort())
  const management = await freePort()
  const file = `${folder}/routes-${port}.yaml`
  writeFileSync(
    file,
    `
public_url: http://localhost:${port}
listen: 127.0.0.1:${port}
management: 127.0.0.1:${management}
access_log: ${options.accessLog}
${options.workers === 1 ? '' : `workers: ${options.workers}`}
issuer: false
trusted_issuers:
  - issuer: ${ISSUER}
    jwks_file: ${minter.jwksFile}
    algorithms: [${minter.algorithm}]
resources:
  - id: ${RESOURCE}
    name: Bench
    scopes: { "${SCOPE}": Read }
    issuers: ["${ISSUER}"]
routes:
  - id: bench
    path: /
    resource: ${RESOURCE}
    upstream: http://127.0.0.1:${upstreamPort}
    rules:
      - methods: [any]
        scopes: ["${SCOPE}"]
`,
  )
  return { file, port, management }
}

/** audgate as it is shipped, logging requests or not. */
export async function startAudgate(
  folder: string,
  upstreamPort: number,
  minter: Minter,
  options: AudgateOptions,
): Promise<Entry> {
  const { file, port } = await audgateFile(folder, upstreamPort, minter, options)
  const name = `audgate${options.accessLog === 'all' ? ', access log on' : ''}`
  return entry(name, port, true, await startPinned(MEASURED_CORE, audgateCommand(file), port))
}

/** The command line that serves `file`. */
export function audgateCommand(file: string): readonly string[] {
  return [process.execPath, new URL('../../src/cli/audgate.js', import.meta.url).pathname, 'serve', file]
}

function nginxConf(folder: string, name: string, http: string): string {
  const conf = `${folder}/${name}.conf`
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${folder}/${name}-${kind};`,
  )
  const user = process.getuid?.() === 0 ? `user ${execFileSync('id', ['-un']).toString().trim()};` : ''
  writeFileSync(
    conf,
    `
daemon off; ${user} worker_processes 1; pid ${folder}/${name}.pid; error_log ${folder}/${name}.log;
events { worker_connections 8000; }
http { access_log off; sendfile on; keepalive_requests 1000000000; keepalive_timeout 75s; ${temporary.join(' ')} ${http} }
`,
  )
  return conf
}

function entry(name: string, port: number, checksTokens: boolean, process: Contestant): Entry {
  return { name, url: `http://127.0.0.1:${port}`, checksTokens, process }
}
