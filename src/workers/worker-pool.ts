import type { Worker } from 'node:cluster'
import cluster from 'node:cluster'
import module from 'node:module'
import type { AddressInfo } from 'node:net'
import { dirname, extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { SECRET_VARIABLES } from '../config/check/secrets.ts'
import type { Log } from '../observe/log.ts'
import { StartFault } from '../server/start-fault.ts'
import type { PrimaryMessage, WorkerMessage } from './messages.ts'

export interface WorkersOptions {
  readonly count: number
  readonly log: Log
  /** What a worker is told first. */
  readonly start: () => PrimaryMessage
  readonly onMessage: (message: WorkerMessage, answer: (message: PrimaryMessage) => void, worker: number) => void
  readonly onGone: (worker: number) => void
}

/** The worker processes. One that ends unasked is replaced. */
export interface Workers {
  /** Where they listen; settles when all do, and rejects with the fault of the first that can't. */
  readonly started: Promise<readonly AddressInfo[]>
  /** Those that serve now, by id. */
  readonly serving: ReadonlySet<number>
  /** To all, those that are starting included. */
  tell(message: PrimaryMessage): void
  /** Ends one at once; another takes its place. */
  discard(worker: number): void
  /** Lets running requests finish, then ends them all; those that take longer are cut. */
  close(graceMs: number): Promise<void>
}

// A worker that ends this soon after its start would end again: each such end doubles the wait before the next try.
const SOON_MS = 10_000
const FIRST_WAIT_MS = 100
const LAST_WAIT_MS = 10_000
// Beyond the grace that requests have.
const CLOSING_MS = 5_000

/** Forks the workers. Who starts them closes them, whether they could start or not. */
export function startWorkers(options: WorkersOptions): Workers {
  return new WorkerPool(options)
}

class WorkerPool implements Workers {
  readonly serving = new Set<number>()
  readonly started: Promise<readonly AddressInfo[]>
  readonly #options: WorkersOptions
  readonly #running = new Map<number, Worker>()
  readonly #waits = new Set<NodeJS.Timeout>()
  readonly #ended: (() => void)[] = []
  readonly #settle: {
    readonly all: (addresses: readonly AddressInfo[]) => void
    readonly fault: (error: Error) => void
  }
  #closing = false
  #soonEnds = 0

  constructor(options: WorkersOptions) {
    this.#options = options
    const { promise, resolve: all, reject: fault } = Promise.withResolvers<readonly AddressInfo[]>()
    this.started = promise
    this.#settle = { all, fault }
    // Connections are dealt out in turn: left to the kernel, one worker may take most of them.
    cluster.schedulingPolicy = cluster.SCHED_RR
    // `.js` in an installed package, `.ts` in a checkout.
    const exec = fileURLToPath(new URL(`worker-process${extname(import.meta.filename)}`, import.meta.url))
    // Below the folder that was asked for Node makes one for its own version.
    const cacheFolder = module.getCompileCacheDir()
    cluster.setupPrimary({
      exec,
      execArgv: [...process.execArgv, '--disable-sigusr1'],
      args: cacheFolder === undefined ? [] : [dirname(cacheFolder)],
      serialization: 'advanced',
    })
    for (let i = 0; i < options.count; i += 1) this.#fork()
  }

  tell(message: PrimaryMessage): void {
    for (const worker of this.#running.values()) send(worker, message)
  }

  discard(id: number): void {
    this.#running.get(id)?.process.kill('SIGKILL')
  }

  async close(graceMs: number): Promise<void> {
    this.#closing = true
    for (const wait of this.#waits) clearTimeout(wait)
    this.tell({ kind: 'close', graceMs })
    // One that has not begun to serve has nothing to finish.
    for (const [id, worker] of this.#running) if (!this.serving.has(id)) worker.process.kill('SIGKILL')
    const late = setTimeout(() => {
      for (const worker of this.#running.values()) worker.process.kill('SIGKILL')
    }, graceMs + CLOSING_MS)
    await new Promise<void>((resolve) => {
      this.#ended.push(resolve)
      this.#tellEnd()
    })
    clearTimeout(late)
  }

  #fork(): void {
    // Sealing keys and registration are the primary's; a worker has no use for their secrets.
    const worker = cluster.fork(Object.fromEntries(SECRET_VARIABLES.map((name) => [name, undefined])))
    const startedAt = performance.now()
    this.#running.set(worker.id, worker)
    worker.on('error', () => undefined)
    worker.on('message', (message: WorkerMessage) => this.#receive(worker, message))
    worker.once('exit', (code, signal) => this.#end(worker, { code, signal, livedMs: performance.now() - startedAt }))
  }

  #receive(worker: Worker, message: WorkerMessage) {
    const { log, start, onMessage } = this.#options
    switch (message.kind) {
      case 'here':
        return send(worker, start())
      case 'listening':
        this.serving.add(worker.id)
        log.info('worker.listening', { pid: worker.process.pid })
        if (this.serving.size === this.#options.count) this.#settle.all(message.addresses)
        return
      case 'fault':
        this.#settle.fault(new StartFault(message.message))
        return log.error('worker.fault', { pid: worker.process.pid, detail: message.message })
      case 'used':
      case 'decisions':
      case 'weak_sign_in':
      case 'proof':
      case 'file':
      case 'metrics':
      case 'question':
        return onMessage(message, (answer) => send(worker, answer), worker.id)
    }
  }

  #end(worker: Worker, { code, signal, livedMs }: { code: number; signal: string | null; livedMs: number }): void {
    const { log, onGone } = this.#options
    this.#running.delete(worker.id)
    this.serving.delete(worker.id)
    onGone(worker.id)
    this.#settle.fault(new StartFault(`a worker process ended before it could serve (${signal ?? code})`))
    this.#tellEnd()
    if (this.#closing) return
    this.#soonEnds = livedMs < SOON_MS ? this.#soonEnds + 1 : 0
    const waitMs = this.#soonEnds === 0 ? 0 : Math.min(FIRST_WAIT_MS * 2 ** (this.#soonEnds - 1), LAST_WAIT_MS)
    log.error('worker.ended', { pid: worker.process.pid, code, signal, next_in_ms: waitMs })
    const wait = setTimeout(() => {
      this.#waits.delete(wait)
      this.#fork()
    }, waitMs)
    this.#waits.add(wait)
  }

  #tellEnd(): void {
    if (this.#closing && this.#running.size === 0) for (const resolve of this.#ended.splice(0)) resolve()
  }
}

/** A worker that has just ended hears nothing; its end is told elsewhere. */
function send(worker: Worker, message: PrimaryMessage): void {
  if (worker.isConnected()) worker.send(message, undefined, undefined, () => undefined)
}
