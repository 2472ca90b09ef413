import { type ChildProcess, spawn } from 'node:child_process'
import { chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A server of the system, run in a temp folder on a port of its own. */
export interface RealServer {
  readonly url: string
  readonly port: number
  /** What it serves. */
  readonly files: string
  close(): Promise<void>
}

/** nginx as a file server. */
export function startNginx(): Promise<RealServer> {
  return start('nginx', (folder, files, port) => {
    const conf = join(folder, 'nginx.conf')
    const temps = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (name) => `${name}_temp_path ${folder}/${name};`,
    )
    writeFileSync(
      conf,
      `${process.getuid?.() === 0 ? 'user www-data;' : ''} daemon off; pid ${folder}/pid; error_log ${folder}/error.log; events {}
http { access_log off; ${temps.join(' ')} server { listen 127.0.0.1:${port}; root ${files}; } }`,
    )
    return ['/usr/sbin/nginx', '-c', conf, '-e', `${folder}/error.log`]
  })
}

/** nginx before several audgates, without affinity, on a port of its own choice. */
export function startNginxBalancer(port: number, backends: readonly string[]): Promise<RealServer> {
  const make: Prepare = (folder) => {
    const conf = join(folder, 'nginx.conf')
    const temps = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (name) => `${name}_temp_path ${folder}/${name};`,
    )
    const servers = backends.map((backend) => `server ${backend} max_fails=1 fail_timeout=1s;`)
    writeFileSync(
      conf,
      `${process.getuid?.() === 0 ? 'user www-data;' : ''} daemon off; pid ${folder}/pid; error_log ${folder}/error.log; events {}
http { access_log off; ${temps.join(' ')} upstream audgates { ${servers.join(' ')} }
server { listen 127.0.0.1:${port}; client_max_body_size 0;
  location / { proxy_pass http://audgates; proxy_http_version 1.1; proxy_set_header Host $http_host; proxy_next_upstream error timeout; } } }`,
    )
    return ['/usr/sbin/nginx', '-c', conf, '-e', `${folder}/error.log`]
  }
  return start('nginx', make, port)
}

/** HAProxy before several audgates, without affinity, on a port of its own choice. */
export function startHaproxyBalancer(port: number, backends: readonly string[]): Promise<RealServer> {
  const make: Prepare = (folder) => {
    const conf = join(folder, 'haproxy.cfg')
    const timeouts = ['connect', 'client', 'server'].map((name) => `  timeout ${name} 30s`)
    const servers = backends.map((backend, n) => `  server s${n} ${backend} check inter 200ms fall 1 rise 1`)
    writeFileSync(
      conf,
      `defaults
  mode http
${timeouts.join('\n')}
frontend all
  bind 127.0.0.1:${port}
  default_backend audgates
backend audgates
  balance roundrobin
  option redispatch 1
  retry-on conn-failure
  retries 3
${servers.join('\n')}
`,
    )
    return ['/usr/sbin/haproxy', '-db', '-f', conf]
  }
  return start('haproxy', make, port)
}

/** nginx before an HTTP server, passing on what it reads, odd field names too. */
export function startNginxBefore(upstreamPort: number): Promise<RealServer> {
  return start('nginx', (folder, _files, port) => {
    const conf = join(folder, 'nginx.conf')
    const temps = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (name) => `${name}_temp_path ${folder}/${name};`,
    )
    writeFileSync(
      conf,
      `${process.getuid?.() === 0 ? 'user www-data;' : ''} daemon off; pid ${folder}/pid; error_log ${folder}/error.log; events {}
http { access_log off; ${temps.join(' ')} underscores_in_headers on; ignore_invalid_headers off; client_max_body_size 0;
server { listen 127.0.0.1:${port}; location / { proxy_pass http://127.0.0.1:${upstreamPort}; proxy_http_version 1.1; } } }`,
    )
    return ['/usr/sbin/nginx', '-c', conf, '-e', `${folder}/error.log`]
  })
}

/** HAProxy before an HTTP server. */
export function startHaproxyBefore(upstreamPort: number): Promise<RealServer> {
  return start('haproxy', (folder, _files, port) => {
    const conf = join(folder, 'haproxy.cfg')
    const timeouts = ['connect', 'client', 'server'].map((name) => `  timeout ${name} 30s`)
    writeFileSync(
      conf,
      `defaults
  mode http
${timeouts.join('\n')}
frontend all
  bind 127.0.0.1:${port}
  default_backend one
backend one
  server s1 127.0.0.1:${upstreamPort}
`,
    )
    return ['/usr/sbin/haproxy', '-db', '-f', conf]
  })
}

/** Apache with mod_dav on `/` (or below `path`). */
export function startApacheDav(path = '/'): Promise<RealServer> {
  return start('apache', (folder, files, port) => {
    const conf = join(folder, 'httpd.conf')
    const modules = ['mpm_event', 'authz_core', 'dav', 'dav_fs', 'alias', 'mime', 'dir']
    const load = modules.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`)
    const alias = path === '/' ? '' : `Alias ${path} ${files}`
    writeFileSync(
      conf,
      `${load.join('\n')}
ServerRoot ${folder}
ServerName 127.0.0.1
Listen 127.0.0.1:${port}
PidFile ${folder}/pid
ErrorLog ${folder}/error.log
TypesConfig /dev/null
DocumentRoot ${files}
${alias}
DavLockDB ${folder}/lock
User www-data
Group www-data
<Location ${path}>
  Dav On
</Location>
`,
    )
    return ['/usr/sbin/apache2', '-f', conf, '-DFOREGROUND']
  })
}

type Prepare = (folder: string, files: string, port: number) => readonly string[]

async function start(name: string, prepare: Prepare, wanted?: number): Promise<RealServer> {
  const folder = mkdtempSync(join(tmpdir(), `audgate-${name}-`))
  const files = join(folder, 'files')
  mkdirSync(files)
  const port = wanted ?? (await freePort())
  const [program = '', ...args] = prepare(folder, files, port)
  // Started by root, they serve as www-data.
  if (process.getuid?.() === 0) for (const path of [folder, files]) chownSync(path, 33, 33)
  const child = spawn(program, args, { stdio: 'ignore' })
  await untilListening(child, port)
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    files,
    close: async () => {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGTERM')
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}

async function untilListening(child: ChildProcess, port: number): Promise<void> {
  const deadline = Date.now() + 10_000
  while (Date.now() < deadline && child.exitCode === null) {
    if (await answers(port)) return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error(`${child.spawnfile} does not listen on ${port}`)
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
