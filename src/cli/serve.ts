import { execFile } from 'node:child_process'
import { resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Command, Option } from 'commander'
import type { Config } from '../config/config.ts'
import { loadConfig } from '../config/load.ts'
import { createLog, type Log } from '../observe/log.ts'
import { trustSystemRoots } from '../proxy/trusted-roots.ts'
import { saveMemoryWhenQuiet } from '../server/quiet-memory.ts'
import { keepReloading, type Reloading, tellWarnings } from '../server/reload.ts'
import { createServer, type Server } from '../server/server.ts'
import { StartFault } from '../server/start-fault.ts'
import { fail, readConfigOrExit } from './output.ts'

interface Options {
  readonly config: string
  readonly demo?: boolean
}

/** `audgate serve`: runs until SIGTERM or SIGINT. */
export function command(): Command {
  return new Command('serve')
    .description('run the gateway and the issuer')
    .argument('[file]', 'the routes.yaml to use (default: ./routes.yaml)')
    .addOption(new Option('--config <file>', 'the same').default('./routes.yaml'))
    .option('--demo', 'also run sample upstreams, with sample users and clients')
    .action(serve)
}

async function serve(argument: string | undefined, options: Options): Promise<void> {
  const file = argument ?? options.config
  const config = readConfigOrExit(file)
  trustSystemRoots()
  const log = createLog(() => config.instance, config.workers > 1)
  const server = await startOrExit(config, log, options.demo === true)
  sayListening(server, log)
  tellWarnings(config, log)
  const reloading = keepReloading({ server, log, now: Date.now, load: () => loadConfig(file, process.env) })
  surviveFaults(log)
  endWhenLost(server, log)
  saveMemoryWhenQuiet()
  notifySystemd('READY=1')
  listenToSignals(server, reloading, log)
}

async function startOrExit(config: Config, log: Log, demo: boolean): Promise<Server> {
  try {
    const create = await creatorFor(config)
    return await (demo
      ? startDemo(config, log, create)
      : create(config, { log, now: Date.now, startedAt: performance.timeOrigin }))
  } catch (error) {
    await log.flush()
    if (error instanceof StartFault) return fail(error.message, 2)
    throw error
  }
}

/** One process, or one that holds the issuer and workers that serve. */
async function creatorFor({ workers }: Config): Promise<typeof createServer> {
  if (workers === 1) return createServer
  const { createPrimary } = await import('../workers/primary.ts')
  return createPrimary
}

/** Loaded where it is asked for: a gateway in earnest has none of it. */
async function startDemo(config: Config, log: Log, create: typeof createServer): Promise<Server> {
  const { createDemoServer } = await import('../demo/demo.ts')
  const server = await createDemoServer(config, { log, now: Date.now, startedAt: performance.timeOrigin }, create)
  // Not to stdout, which is the log: it holds passwords.
  process.stderr.write(`\n${server.walkthrough}\n`)
  return server
}

function sayListening(server: Server, log: Log): void {
  const { config, management } = server
  const scheme = config.tls === undefined ? 'http' : 'https'
  const { listen } = config
  const bound = server.addresses.map(({ address, port }) => `${scheme}://${hostText(address)}:${port}`)
  const listening = 'path' in listen ? [`unix:${listen.path}`] : bound.length === 0 ? ['a unix socket'] : bound
  const managing = management && `http://${hostText(management.address)}:${management.port}`
  log.info('listening', { listening, management: managing, file: resolve(config.file), public_url: config.publicUrl })
  if (!process.stderr.isTTY) return
  process.stderr.write(`audgate: ${config.publicUrl} (listening on ${listening.join(', ')})\n`)
  if (managing !== undefined) process.stderr.write(`audgate: metrics and health on ${managing}\n`)
}

function hostText(address: string): string {
  return address.includes(':') ? `[${address}]` : address
}

/** What nobody foresaw belongs to one request; ending the process would end all of them. */
function surviveFaults(log: Log): void {
  const tell = (error: unknown): void => {
    log.error('process.fault', { fault: error instanceof Error ? (error.stack ?? error.message) : String(error) })
  }
  process.on('uncaughtException', tell)
  process.on('unhandledRejection', tell)
}

/** A supervisor starts another process, which is handed what this one has lost. */
function endWhenLost(server: Server, log: Log): void {
  server.onLost((why) => {
    log.error('server.lost', { detail: `${why}: ending, so that a supervisor starts anew` })
    const end = (): never => process.exit(1)
    log.flush().then(end, end)
  })
}

function listenToSignals(server: Server, reloading: Reloading, log: Log): void {
  const state = { ending: false }
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (state.ending) process.exit(0)
    state.ending = true
    log.info('shutdown', { signal })
    notifySystemd('STOPPING=1')
    reloading.close()
    server.drain()
    const { delayMs, graceMs } = server.config.shutdown
    await delay(delayMs)
    await server.close(graceMs)
    await log.flush()
  }
  // Whatever fails on the way out, the process ends.
  const exit = (): never => process.exit(0)
  const onSignal = (signal: NodeJS.Signals): void => void end(signal).then(exit, exit)
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  process.on('SIGHUP', () => void reloading.now())
}

/**
 * Tells a supervisor with systemd's protocol (sd_notify) that the server is ready, or ending; nothing where none asked ($NOTIFY_SOCKET).
 * By the systemd-notify command, since Node opens no unix datagram socket: the unit needs `NotifyAccess=all`. A failure is passed over.
 */
function notifySystemd(state: 'READY=1' | 'STOPPING=1', env: NodeJS.ProcessEnv = process.env): void {
  if (!env.NOTIFY_SOCKET) return
  // Says nothing of its own to a terminal, and never holds the process up.
  execFile('systemd-notify', [`--pid=${process.pid}`, state], { timeout: 5_000 }, () => undefined)
}
