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

/** What the primary does for its workers. */
export interface WorkerHandlers {
  /** What a worker is told first. */
  readonly first: () => PrimaryMessage
  readonly onMessage: (message: WorkerMessage, answer: (message: PrimaryMessage) => void, worker: number) => void
  readonly onGone: (worker: number) => void
}

/** The worker processes. One that ends unasked is replaced. */
export interface Workers {
  /** Forks them; where they listen, when all do. Rejects with the fault of the first that can't. */
  start(handlers: WorkerHandlers): Promise<readonly AddressInfo[]>
  /** Those that serve now, by id. */
  readonly serving: ReadonlySet<number>
  /** To all, those that are starting included. */
  tell(message: PrimaryMessage): void
  /** Called when the last that served has ended and no end was asked for. */
  onNoneServes(listener: () => void): void
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

/** Workers that have yet to be started. Who starts them closes them, whether they could start or not. */
export function createWorkers(count: number, log: Log): Workers {
  return new WorkerPool(count, log)
}

interface Ended {
  readonly code: number
  readonly signal: string | null
  readonly livedMs: number
}

class WorkerPool implements Workers {
  readonly serving = new Set<number>()
  readonly #count: number
  readonly #log: Log
  readonly #running = new Map<number, Worker>()
  readonly #waits = new Set<NodeJS.Timeout>()
  readonly #ended: (() => void)[] = []
  readonly #noneServes: (() => void)[] = []
  readonly #started = Promise.withResolvers<readonly AddressInfo[]>()
  #closing = false
  #soonEnds = 0

  constructor(count: number, log: Log) {
    this.#count = count
    this.#log = log
  }

  start(handlers: WorkerHandlers): Promise<readonly AddressInfo[]> {
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
    for (let i = 0; i < this.#count; i += 1) this.#fork(handlers)
    return this.#started.promise
  }

  tell(message: PrimaryMessage): void {
    for (const worker of this.#running.values()) send(worker, message)
  }

  onNoneServes(listener: () => void): void {
    this.#noneServes.push(listener)
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

  #fork(handlers: WorkerHandlers): void {
    // Sealing keys and registration are the primary's; a worker has no use for their secrets.
    const worker = cluster.fork(Object.fromEntries(SECRET_VARIABLES.map((name) => [name, undefined])))
    const startedAt = performance.now()
    this.#running.set(worker.id, worker)
    worker.on('error', () => undefined)
    worker.on('message', (message: WorkerMessage) => this.#receive(worker, message, handlers))
    worker.once('exit', (code, signal) => {
      this.#end(worker, { code, signal, livedMs: performance.now() - startedAt }, handlers)
    })
  }

  #receive(worker: Worker, message: WorkerMessage, { first, onMessage }: WorkerHandlers) {
    // What one had sent before its end may be read after it.
    if (!this.#running.has(worker.id)) return
    switch (message.kind) {
      case 'here':
        return send(worker, first())
      case 'listening':
        this.serving.add(worker.id)
        this.#log.info('worker.listening', { pid: worker.process.pid })
        if (this.serving.size === this.#count) this.#started.resolve(message.addresses)
        return
      case 'fault':
        this.#started.reject(new StartFault(message.message))
        return this.#log.error('worker.fault', { pid: worker.process.pid, detail: message.message })
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

  #end(worker: Worker, { code, signal, livedMs }: Ended, handlers: WorkerHandlers): void {
    this.#running.delete(worker.id)
    this.serving.delete(worker.id)
    handlers.onGone(worker.id)
    this.#started.reject(new StartFault(`a worker process ended before it could serve (${signal ?? code})`))
    this.#tellEnd()
    if (this.#closing) return
    this.#soonEnds = livedMs < SOON_MS ? this.#soonEnds + 1 : 0
    const waitMs = this.#soonEnds === 0 ? 0 : Math.min(FIRST_WAIT_MS * 2 ** (this.#soonEnds - 1), LAST_WAIT_MS)
    this.#log.error('worker.ended', { pid: worker.process.pid, code, signal, next_in_ms: waitMs })
    if (this.serving.size === 0) for (const listener of this.#noneServes) listener()
    const wait = setTimeout(() => {
      this.#waits.delete(wait)
      this.#fork(handlers)
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
