import { rmSync } from 'node:fs'
import module from 'node:module'
import { dirname } from 'node:path'
import { createLog } from '../observe/log.ts'
import { trustSystemRoots } from '../proxy/trusted-roots.ts'
import { saveMemoryWhenQuiet } from '../server/quiet-memory.ts'
import type { PrimaryMessage, WorkerMessage } from './messages.ts'
import { runWorker } from './worker.ts'

// The program of a worker process; the primary forks it, with the folder of the compile cache as its argument.
const [cacheFolder] = process.argv.slice(2)
if (cacheFolder !== undefined) module.enableCompileCache(cacheFolder)

trustSystemRoots()
saveMemoryWhenQuiet()

const inner: { path: string; instance: string | undefined } = { path: '', instance: undefined }
const log = createLog(() => inner.instance, true)

function fault(error: unknown): void {
  log.error('process.fault', { fault: error instanceof Error ? (error.stack ?? error.message) : String(error) })
}

// As in a process alone: what nobody foresaw belongs to one request.
process.on('uncaughtException', fault)
process.on('unhandledRejection', fault)
// A terminal or a supervisor signals the whole group; the primary says what becomes of it.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1'] as const) process.on(signal, () => undefined)

const sent = { last: Promise.resolve() }

function send(message: WorkerMessage): void {
  // A primary that is gone ends this process by itself.
  sent.last = new Promise((resolve) => process.send?.(message, undefined, undefined, () => resolve()))
}

async function end(failed: boolean): Promise<void> {
  await Promise.all([sent.last, log.flush()])
  process.exit(failed ? 2 : 0)
}

function onMessage(listener: (message: PrimaryMessage) => void): void {
  process.on('message', (received) => {
    const message = received as PrimaryMessage
    if (message.kind === 'start') {
      inner.path = message.briefing.innerPath
      inner.instance = message.briefing.config.instance
    }
    listener(message)
  })
}

// Without a primary Node ends this process. One that was killed could not clear away its socket.
process.on('exit', () => {
  if (!process.connected && inner.path !== '') rmSync(dirname(inner.path), { recursive: true, force: true })
})

runWorker({
  log,
  link: { send, onMessage },
  onEnd: (failed) => void end(failed),
})
