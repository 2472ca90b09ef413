import type { Config, Secrets } from '../config/config.ts'
import type { BackChannel } from '../gateway/credentials/back-channel.ts'
import type { TlsMaterial } from '../gateway/listener.ts'
import { type AdminMount, mountAdmin } from '../server/admin/mount-admin.ts'
import { trafficOf } from '../server/admin/traffic.ts'
import { applyConfig } from '../server/apply-config.ts'
import type { Closing } from '../server/closing.ts'
import { clearStaleSocket, findHandedOver } from '../server/front.ts'
import { type IssuerLink, openOwnIssuerLink } from '../server/issuer-link.ts'
import { knownResources } from '../server/resource-metadata.ts'
import { openRuntime, type Runtime, type ServerDependencies } from '../server/runtime.ts'
import { createSerialQueue, GRACE_MS, manage, type Server } from '../server/server.ts'
import { hasEnded, readTls, startOrClose } from '../server/start-fault.ts'
import { createReplayGuard } from '../token/dpop.ts'
import { createGather, createMetricSums, type Gather, type MetricSums } from './gathering.ts'
import { ALIVE_MS, type FileInForce, type PrimaryMessage, type WorkerMessage } from './messages.ts'
import { openInner } from './pass-on.ts'
import { createWorkers, type WorkerHandlers, type Workers } from './worker-pool.ts'

const MOST_PROOFS = 1_000_000
// Beyond this a worker is taken for stuck.
const RELOAD_MS = 5_000
const METRICS_MS = 1_000

const NO_SECRETS: Secrets = {
  secret: undefined,
  registrationToken: undefined,
  feedToken: undefined,
  storePassword: undefined,
  keyFile: undefined,
}

/** What the primary holds for its workers. */
interface Primary {
  readonly runtime: Runtime
  readonly answers: Gather
  readonly sums: MetricSums
  readonly innerPath: string
  readonly admin: AdminMount | undefined
  /** Workers that were asked for at the start; a file that says otherwise holds after a restart. */
  readonly count: number
  readonly workers: Workers
  /** Certificates in force. */
  tls: TlsMaterial | undefined
}

/**
 * Starts a server whose data path lies in worker processes of their own; this process holds store, issuer, management listener and the
 * file. Rejects with a StartFault, and leaves nothing running, when something can't be had. One to a process.
 */
export async function createPrimary(config: Config, dependencies: ServerDependencies): Promise<Server> {
  return startOrClose((closing) => start(config, dependencies, closing))
}

async function start(config: Config, dependencies: ServerDependencies, closing: Closing): Promise<Server> {
  const primary = await openPrimary(config, dependencies, closing)
  const { runtime, sums, answers, workers } = primary
  const { log, now, backing, state } = runtime
  if (primary.tls !== undefined && hasEnded(primary.tls, now())) log.warn('tls.expired', { cert: config.tls?.cert })
  const addresses = await workers.start(handlersFor(primary))
  const alive = setInterval(() => tellState(primary), ALIVE_MS)
  closing.add(() => clearInterval(alive))
  const metrics = {
    read: async () => {
      await answers.gather(workers.serving, METRICS_MS, (ask) => workers.tell({ kind: 'metrics', ask }))
      return sums.read()
    },
  }
  const unready = () => (workers.serving.size === 0 ? 'no worker process serves' : backing.unready())
  const management = await manage(config, { state, metrics, unready, issuerUnready: backing.issuerUnready }, closing)
  const queue = createSerialQueue()
  return {
    addresses,
    management,
    get config() {
      return state.active.config
    },
    store: backing.store,
    onLost: (listener) => {
      // What was handed over open is closed with the last that used it, and can't be had again.
      if ('fd' in config.listen) workers.onNoneServes(() => listener('no worker is left that holds the socket'))
    },
    refusedFile: (problems) => runtime.history.refused(problems),
    reload: (next) => queue(() => applyConfig(next, runtime, (file, tls) => spread(primary, { config: file, tls }))),
    drain: () => {
      state.closing = true
      workers.tell({ kind: 'drain' })
    },
    close: (graceMs = GRACE_MS) => close(primary, closing, graceMs),
  }
}

async function openPrimary(config: Config, dependencies: ServerDependencies, closing: Closing): Promise<Primary> {
  const tls = readTls(config.tls)
  await clearStaleSocket(config.listen)
  findHandedOver(config.listen)
  const runtime = await openRuntime(config, dependencies, closing, openOwnIssuerLink)
  const { backing, state, metrics, log } = runtime
  const workers = createWorkers(config.workers, log)
  const answers = createGather()
  const sums = createMetricSums(metrics)
  const traffic = async () => {
    await answers.gather(workers.serving, METRICS_MS, (ask) => workers.tell({ kind: 'metrics', ask }))
    return trafficOf([await sums.values()])
  }
  const admin = await mountAdmin(runtime, { traffic, workers: config.workers }, closing)
  admin?.onWatched((watched) => workers.tell({ kind: 'watch', watched }))
  const resources = () => knownResources(state.active.config)
  const innerPath = await openInner(backing, { resources }, admin, closing)
  closing.add(() => workers.close(0))
  const primary: Primary = { runtime, answers, sums, admin, innerPath, count: config.workers, workers, tls }
  // All of it has to reach those that have been briefed already.
  backing.revocations.onAdded((entries) => workers.tell({ kind: 'revocations', entries }))
  backing.onAvailability(() => tellState(primary))
  backing.onKeysChanged(() => workers.tell({ kind: 'keys', publicKeys: publicKeysOf(backing) }))
  return primary
}

function handlersFor(primary: Primary): WorkerHandlers {
  const { runtime, answers, sums } = primary
  const proofs = createReplayGuard(MOST_PROOFS)
  return {
    first: () => briefing(primary),
    onGone: (worker) => {
      answers.leave(worker)
      sums.leave(worker)
    },
    onMessage: (message, answer, worker) => {
      if (message.kind === 'proof') void judgeProof(runtime.backing, proofs, message).then(answer)
      if (message.kind === 'question') void answerQuestion(runtime.backing.issuer.backChannel, message, answer)
      if (message.kind === 'used') for (const [gid, at] of message.uses) runtime.backing.noteUse(gid, at)
      if (message.kind === 'decisions') primary.admin?.decisions(message.decisions)
      if (message.kind === 'weak_sign_in') runtime.backing.noteWeakSignIn(message.refusal)
      if (message.kind === 'metrics') sums.note(worker, message.values)
      if (message.kind === 'metrics' || message.kind === 'file') answers.settle(message.ask, worker)
    },
  }
}

function briefing({ runtime, innerPath, tls, count, admin }: Primary): PrimaryMessage {
  const { backing, state } = runtime
  const file = forWorkers({ config: state.active.config, tls }, count)
  const revocations = backing.revocations.entries()
  const publicKeys = publicKeysOf(backing)
  return {
    kind: 'start',
    briefing: {
      ...file,
      revocations,
      publicKeys,
      unavailable: backing.unavailable(),
      goodForMs: backing.goodForMs(),
      innerPath,
      watched: admin?.watched ?? false,
      draining: state.closing,
    },
  }
}

/** Secrets stay here, and each worker gets its share of the connections. */
export function forWorkers({ config, tls }: FileInForce, count: number): FileInForce {
  const maxConnections = Math.ceil(config.maxConnections / count)
  // Only the issuer knows providers and the mail server, and those hold secrets of their own.
  const issuer = config.issuer.kind === 'embedded' ? { ...config.issuer, providers: [] } : config.issuer
  return { config: { ...config, issuer, mail: undefined, secrets: NO_SECRETS, maxConnections }, tls }
}

/** Resolves when every worker has swapped the file in; one that can't is replaced by one that starts with it. */
async function spread(primary: Primary, file: FileInForce): Promise<void> {
  const { answers, workers, runtime } = primary
  primary.tls = file.tls
  const late = await answers.gather(workers.serving, RELOAD_MS, (ask) => {
    workers.tell({ kind: 'file', ask, ...forWorkers(file, primary.count) })
  })
  tellState(primary)
  for (const worker of late) {
    runtime.log.error('worker.stuck', { worker, detail: 'it did not take the file; another takes its place' })
    workers.discard(worker)
  }
}

function tellState({ workers, runtime: { backing } }: Primary): void {
  workers.tell({ kind: 'state', unavailable: backing.unavailable(), goodForMs: backing.goodForMs() })
}

function publicKeysOf({ issuer }: IssuerLink): readonly Readonly<Record<string, unknown>>[] {
  return issuer.own?.publicKeys() ?? []
}

async function judgeProof(
  { useJti }: Pick<IssuerLink, 'useJti'>,
  proofs: ReturnType<typeof createReplayGuard>,
  { ask, key, expiresAt, now }: Extract<WorkerMessage, { kind: 'proof' }>,
): Promise<PrimaryMessage> {
  if (useJti !== undefined) return { kind: 'proof', ask, answer: await useJti(key, expiresAt, now) }
  const use = proofs.use(key, expiresAt, now)
  return { kind: 'proof', ask, answer: use === 'full' ? undefined : use === 'first' }
}

async function answerQuestion(
  backChannel: BackChannel,
  { ask, about, question }: Extract<WorkerMessage, { kind: 'question' }>,
  answer: (message: PrimaryMessage) => void,
): Promise<void> {
  // What a worker sends is of our own making.
  const answered = await backChannel.ask(about, question as never).catch(() => undefined)
  answer({ kind: 'answer', ask, answer: answered })
}

async function close({ runtime, workers }: Primary, closing: Closing, graceMs: number): Promise<void> {
  const { state, backing, log } = runtime
  state.closing = true
  // Followers hold their streams open for ever; they come back to whoever serves next.
  backing.feed?.close()
  await workers.close(graceMs)
  for (const failure of await closing.run()) log.warn('shutdown.fault', { fault: String(failure) })
}
