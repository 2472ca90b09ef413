import type { AddressInfo } from 'node:net'
import type { Config } from '../config/config.ts'
import type { Store } from '../store/store.ts'
import { type Closing, createClosing } from './closing.ts'
import { closeFront, openFront } from './front.ts'
import { openManagement } from './management.ts'
import { openOwnBacking } from './own-backing.ts'
import { openParts, type Parts, type ServerDependencies } from './parts.ts'
import { putInForce } from './put-in-force.ts'
import { createReserved } from './reserved.ts'
import { createSite } from './site.ts'
import { bindFault, startFault } from './start-fault.ts'
import { hasEnded, readTls } from './tls-files.ts'

export type { ServerDependencies } from './parts.ts'

/** A running gateway, with the issuer where the file asks for one. */
export interface Server {
  /** What the public listener is bound to. */
  readonly addresses: readonly AddressInfo[]
  readonly management: AddressInfo | undefined
  /** The file in force. */
  readonly config: Config
  /** The embedded issuer's; undefined where there is none. */
  readonly store: Store | undefined
  /** Puts a checked file in force; rejects with a StartFault, and changes nothing, when it can't be. One after the other. */
  reload(config: Config): Promise<void>
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
  const closing = createClosing()
  try {
    return await start(config, dependencies, closing)
  } catch (error) {
    await closing.run()
    throw startFault(error)
  }
}

async function start(config: Config, dependencies: ServerDependencies, closing: Closing): Promise<Server> {
  const tls = readTls(config.tls)
  const parts = await openParts(config, dependencies, closing, openOwnBacking)
  const { log, now, state, backing, recorder } = parts
  if (tls !== undefined && hasEnded(tls, now())) log.warn('tls.expired', { cert: config.tls?.cert })
  const unready = () => backing.unavailable()
  const management = await manage(config, { state, metrics: parts.metrics, unready }, closing)
  const site = await createSite({ resources: () => state.generation.config.resources })
  closing.add(() => site.close())
  const serveReserved = createReserved({
    recorder,
    site: ({ request, response, exchange }) => site.handle(request, response, exchange.id),
    issuer: backing.issuer,
    feed: backing.feed,
  })
  const listener = await openFront(parts, { tls, serveReserved }, closing)
  const turn = createTurn()
  return {
    addresses: listener.addresses,
    management,
    get config() {
      return state.generation.config
    },
    store: backing.store,
    reload: (next) => turn(() => putInForce(next, parts)),
    close: (graceMs = GRACE_MS) => {
      // Followers hold their streams open for ever; they come back to whoever serves next.
      backing.feed?.close()
      return closeFront(parts, closing, graceMs)
    },
  }
}

/** Runs what it is given one after the other. */
export function createTurn(): (work: () => Promise<void>) => Promise<void> {
  const state = { last: Promise.resolve() }
  return (work) => {
    const turn = state.last.then(work)
    state.last = turn.catch(() => undefined)
    return turn
  }
}

export interface ManageOptions {
  readonly state: Pick<Parts['state'], 'closing'>
  readonly metrics: Pick<Parts['metrics'], 'read'>
  /** What keeps the server from serving besides its end. */
  readonly unready: () => string | undefined
}

/** Opens the management listener where the file asks for one. Rejects with a StartFault when it can't bind. */
export async function manage(
  { management: address }: Config,
  { state, metrics, unready }: ManageOptions,
  closing: Closing,
): Promise<AddressInfo | undefined> {
  if (address === undefined) return undefined
  const unfit = () => (state.closing ? 'the server is closing' : unready())
  const management = await openManagement({ address, metrics, unready: unfit }).catch((error: unknown) => {
    throw bindFault('management', address, error)
  })
  closing.add(() => management.close())
  return management.address
}
