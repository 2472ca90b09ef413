import type { Log } from '../observe/log.ts'
import { swapIn } from '../server/apply-config.ts'
import { type Closing, createClosing } from '../server/closing.ts'
import { browserEndpoints, closeFront, openFront } from '../server/front.ts'
import { createReserved } from '../server/reserved.ts'
import { openRuntime, type Runtime } from '../server/runtime.ts'
import { startFault } from '../server/start-fault.ts'
import type { PrimaryMessage, WorkerInit, WorkerLink } from './messages.ts'
import { createPassOn } from './pass-on.ts'
import { createWorkerIssuerLink } from './worker-issuer-link.ts'

export interface WorkerOptions {
  readonly link: WorkerLink
  readonly log: Log
  /** It has closed everything, or could not start. @param failed A word about why has been sent. */
  readonly onEnd: (failed: boolean) => void
}

type Serving = Runtime & { readonly closing: Closing }

/** The data path of one worker process: public listener and gateway. Issuer, store and file are the primary's, which tells it all. */
export function runWorker({ link, log, onEnd }: WorkerOptions): void {
  const state: { serving: Promise<Serving> | undefined; hear: (word: PrimaryMessage) => void } = {
    serving: undefined,
    hear: () => undefined,
  }
  const failed = (error: unknown): void => {
    link.say({ kind: 'fault', message: startFault(error).message })
    onEnd(true)
  }
  const start = (briefing: WorkerInit): void => {
    const passOn = createPassOn(briefing.innerPath)
    const backing = createWorkerIssuerLink(briefing, link, passOn)
    state.hear = backing.hear
    state.serving = open(briefing, log, backing.open, passOn)
    state.serving.then(({ state: { listener }, kept }) => {
      kept.hand = (decisions) => link.say({ kind: 'decisions', decisions })
      link.say({ kind: 'listening', addresses: listener?.addresses ?? [] })
    }, failed)
  }
  const withServing = (work: (serving: Serving) => void | Promise<void>): void => {
    state.serving?.then(work).catch(failed)
  }
  link.onWord((word) => {
    state.hear(word)
    if (word.kind === 'start') start(word.briefing)
    if (word.kind === 'file') {
      withServing((serving) => {
        swapIn(word.config, word.tls, serving)
        link.say({ kind: 'file', ask: word.ask })
      })
    }
    if (word.kind === 'metrics') {
      withServing(async ({ metrics }) => link.say({ kind: 'metrics', ask: word.ask, values: await metrics.values() }))
    }
    if (word.kind === 'watch') withServing(({ witness }) => witness.watch(word.watched))
    if (word.kind === 'close') {
      withServing(async (serving) => {
        await closeFront(serving, serving.closing, word.graceMs)
        onEnd(false)
      })
    }
  })
  link.say({ kind: 'here' })
}

async function open(
  { config, tls }: WorkerInit,
  log: Log,
  openBacking: Parameters<typeof openRuntime>[3],
  passOn: ReturnType<typeof createPassOn>,
): Promise<Serving> {
  const closing = createClosing()
  try {
    const parts = await openRuntime(
      config,
      { log, now: Date.now, startedAt: performance.timeOrigin },
      closing,
      openBacking,
    )
    const { recorder, backing } = parts
    const serveReserved = createReserved({
      recorder,
      site: passOn,
      browser: browserEndpoints(parts),
      issuer: backing.issuer,
      feed: undefined,
      admin: passOn,
      pages: passOn,
    })
    await openFront(parts, { tls, serveReserved }, closing)
    return { ...parts, closing }
  } catch (error) {
    await closing.run()
    throw error
  }
}
