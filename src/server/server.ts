import type { AddressInfo } from 'node:net'
import type { Config } from '../config/config.ts'
import { openManagement } from '../observe/management.ts'
import type { Store } from '../store/store.ts'
import { answerAdmin, answerPages, mountAdmin } from './admin/mount-admin.ts'
import { trafficOf } from './admin/traffic.ts'
import { applyConfig } from './apply-config.ts'
import type { Closing } from './closing.ts'
import { browserEndpoints, clearStaleSocket, closeFront, findHandedOver, openFront } from './front.ts'
import { openOwnIssuerLink } from './issuer-link.ts'
import { createReserved } from './reserved.ts'
import { createMetadataEndpoint, knownResources } from './resource-metadata.ts'
import { openRuntime, type Runtime, type ServerDependencies } from './runtime.ts'
import { bindFault, hasEnded, readTls, startOrClose } from './start-fault.ts'

/** A running gateway, with the issuer where the file asks for one. */
export interface Server {
  /** What the public listener is bound to; empty for a unix socket. */
  readonly addresses: readonly AddressInfo[]
  readonly management: AddressInfo | undefined
  /** The file in force. */
  readonly config: Config
  /** The embedded issuer's; undefined where there is none. */
  readonly store: Store | undefined
  /** Puts a checked file in force; rejects with a StartFault, and changes nothing, when it can't be. One after the other. */
  reload(config: Config): Promise<void>
  /** Turns unready, and goes on all the same: balancers are to find out first. */
  drain(): void
  /** Calls back when it will never serve again, so that the process may end and a supervisor start another. */
  onLost(listener: (why: string) => void): void
  /** A file could not be put in force: the operator's page shows why. */
  refusedFile(problems: readonly string[]): void
  /**
   * Turns unready, takes no new connections, lets running requests finish, closes tunnels, then everything else.
   * @param graceMs How long running requests may take, milliseconds.
   */
  close(graceMs?: number): Promise<void>
}

/** How long running requests may take to finish, milliseconds. */
export const GRACE_MS = 30_000

/** Starts everything. Rejects with a StartFault, and leaves nothing running, when something can't be had. */
export async function createServer(config: Config, dependencies: ServerDependencies): Promise<Server> {
  return startOrClose((closing) => start(config, dependencies, closing))
}

async function start(config: Config, dependencies: ServerDependencies, closing: Closing): Promise<Server> {
  const tls = readTls(config.tls)
  await clearStaleSocket(config.listen)
  findHandedOver(config.listen)
  const runtime = await openRuntime(config, dependencies, closing, openOwnIssuerLink)
  const { log, now, state, backing, recorder } = runtime
  if (tls !== undefined && hasEnded(tls, now())) log.warn('tls.expired', { cert: config.tls?.cert })
  const { unready, issuerUnready } = backing
  const management = await manage(config, { state, metrics: runtime.metrics, unready, issuerUnready }, closing)
  const site = await createMetadataEndpoint({ resources: () => knownResources(state.active.config) })
  closing.add(() => site.close())
  const admin = await mountAdmin(
    runtime,
    {
      traffic: async () => trafficOf([await runtime.metrics.values()]),
      workers: 1,
    },
    closing,
  )
  if (admin !== undefined) {
    runtime.witness.handTo(admin.decisions)
    admin.onWatched((watched) => runtime.witness.watch(watched))
  }
  const serveReserved = createReserved({
    admin: admin && ((reserved) => answerAdmin(admin, reserved)),
    pages: admin && ((reserved) => answerPages(admin, reserved)),
    recorder,
    site: ({ request, response, record }) => site.handle(request, response, record.id),
    browser: browserEndpoints(runtime),
    issuer: backing.issuer,
    feed: backing.feed,
  })
  const listener = await openFront(runtime, { tls, serveReserved }, closing)
  const queue = createSerialQueue()
  return {
    addresses: listener.addresses,
    management,
    get config() {
      return state.active.config
    },
    store: backing.store,
    reload: (next) => queue(() => applyConfig(next, runtime)),
    drain: () => {
      state.closing = true
    },
    onLost: () => undefined,
    refusedFile: (problems) => runtime.history.refused(problems),
    close: (graceMs = GRACE_MS) => {
      // Followers hold their streams open for ever; they come back to whoever serves next.
      backing.feed?.close()
      return closeFront(runtime, closing, graceMs)
    },
  }
}

/** Runs what it is given one after the other. */
export function createSerialQueue(): (work: () => Promise<void>) => Promise<void> {
  const state = { last: Promise.resolve() }
  return (work) => {
    const queue = state.last.then(work)
    state.last = queue.catch(() => undefined)
    return queue
  }
}

interface ManageOptions {
  readonly state: Pick<Runtime['state'], 'closing'>
  readonly metrics: Pick<Runtime['metrics'], 'read'>
  /** What keeps the server from serving besides its end. */
  readonly unready: () => string | undefined
  /** What keeps the issuer from answering. */
  readonly issuerUnready: () => Promise<string | undefined>
}

/** Opens the management listener where the file asks for one. Rejects with a StartFault when it can't bind. */
export async function manage(
  { management: address }: Config,
  { state, metrics, unready, issuerUnready }: ManageOptions,
  closing: Closing,
): Promise<AddressInfo | undefined> {
  if (address === undefined) return undefined
  const unfit = () => (state.closing ? 'the server is closing' : unready())
  const management = await openManagement({ address, metrics, unready: unfit, issuerUnready }).catch(
    (error: unknown) => {
      throw bindFault('management', address, error)
    },
  )
  closing.add(() => management.close())
  return management.address
}
