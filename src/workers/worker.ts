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

interface WorkerOptions {
  readonly link: WorkerLink
  readonly log: Log
  /** It has closed everything, or could not start. @param failed A message that says why has been sent. */
  readonly onEnd: (failed: boolean) => void
}

type Serving = Runtime & { readonly closing: Closing }

/** The data path of one worker process: public listener and gateway. Issuer, store and file are the primary's, which tells it all. */
export function runWorker({ link, log, onEnd }: WorkerOptions): void {
  const state: { serving: Promise<Serving> | undefined; receive: (message: PrimaryMessage) => void } = {
    serving: undefined,
    receive: () => undefined,
  }
  const failed = (error: unknown): void => {
    link.send({ kind: 'fault', message: startFault(error).message })
    onEnd(true)
  }
  const start = (briefing: WorkerInit): void => {
    const passOn = createPassOn(briefing.innerPath)
    const backing = createWorkerIssuerLink(briefing, link, passOn)
    state.receive = backing.receive
    state.serving = open(briefing, log, backing.open, passOn)
    state.serving.then(({ state: { listener }, witness }) => {
      witness.handTo((decisions) => link.send({ kind: 'decisions', decisions }))
      link.send({ kind: 'listening', addresses: listener?.addresses ?? [] })
    }, failed)
  }
  const withServing = (work: (serving: Serving) => void | Promise<void>): void => {
    state.serving?.then(work).catch(failed)
  }
  link.onMessage((message) => {
    state.receive(message)
    if (message.kind === 'start') start(message.briefing)
    if (message.kind === 'file') {
      withServing((serving) => {
        swapIn(message.config, message.tls, serving)
        link.send({ kind: 'file', ask: message.ask })
      })
    }
    if (message.kind === 'metrics') {
      withServing(async ({ metrics }) =>
        link.send({ kind: 'metrics', ask: message.ask, values: await metrics.values() }),
      )
    }
    if (message.kind === 'watch') withServing(({ witness }) => witness.watch(message.watched))
    if (message.kind === 'drain') withServing(({ state }) => void Object.assign(state, { closing: true }))
    if (message.kind === 'close') {
      withServing(async (serving) => {
        await closeFront(serving, serving.closing, message.graceMs)
        onEnd(false)
      })
    }
  })
  link.send({ kind: 'here' })
}

async function open(
  { config, tls, watched, draining }: WorkerInit,
  log: Log,
  openBacking: Parameters<typeof openRuntime>[3],
  passOn: ReturnType<typeof createPassOn>,
): Promise<Serving> {
  const closing = createClosing()
  try {
    const runtime = await openRuntime(
      config,
      { log, now: Date.now, startedAt: performance.timeOrigin },
      closing,
      openBacking,
    )
    const { recorder, backing, witness, state } = runtime
    witness.watch(watched)
    state.closing = draining
    const operator = config.issuer.kind === 'upstream' ? undefined : passOn
    const serveReserved = createReserved({
      recorder,
      site: passOn,
      browser: browserEndpoints(runtime),
      issuer: backing.issuer,
      feed: undefined,
      admin: operator,
      pages: operator,
    })
    await openFront(runtime, { tls, serveReserved }, closing)
    return { ...runtime, closing }
  } catch (error) {
    await closing.run()
    throw error
  }
}
