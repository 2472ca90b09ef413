import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts } from './free-ports.ts'
import { asServer, type PostgresUnderTest, untilAnswers } from './postgres.ts'

/** Debian's pgbouncer before a database, handing out a connection for one transaction at a time. */
export interface PgbouncerUnderTest {
  readonly port: number
  close(): Promise<void>
}

/** @param size connections to the database, for all clients together. */
export async function startPgbouncer(postgres: PostgresUnderTest, size = 3): Promise<PgbouncerUnderTest> {
  const program = ['/usr/sbin/pgbouncer', '/usr/bin/pgbouncer'].find((path) => existsSync(path))
  if (program === undefined) throw new Error('pgbouncer is missing: apt-get install pgbouncer')
  const [port = 0] = await freePorts(1)
  const folder = mkdtempSync(join(tmpdir(), 'audgate-pgbouncer-'))
  chmodSync(folder, 0o755)
  const file = join(folder, 'pgbouncer.ini')
  const lines = [
    '[databases]',
    `* = host=127.0.0.1 port=${postgres.port}`,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${port}`,
    'unix_socket_dir =',
    'auth_type = any',
    'pool_mode = transaction',
    `default_pool_size = ${size}`,
    'max_client_conn = 200',
  ]
  // `any` takes everybody for one user.
  writeFileSync(file, lines.join('\n').replace('port=', 'user=audgate port='), { mode: 0o644 })
  const [run, args] = asServer(program, ['-q', file])
  const child = spawn(run, args, { stdio: 'ignore', cwd: folder })
  await untilAnswers({ host: '127.0.0.1', port })
  return {
    port,
    close: async () => {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
