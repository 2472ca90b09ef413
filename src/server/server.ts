import type { AddressInfo } from 'node:net'
import type { Config } from '../config/config.ts'
import type { Store } from '../store/store.ts'
import { type Closing, createClosing } from './closing.ts'
import { Gateway } from './gateway.ts'
import { type Listener, type ListenerHandlers, openListener } from './listener.ts'
import { openManagement } from './management.ts'
import { openOwnBacking } from './own-backing.ts'
import { openParts, type Parts, type ServerDependencies } from './parts.ts'
import { putInForce } from './put-in-force.ts'
import { createReserved } from './reserved.ts'
import { createSite } from './site.ts'
import { bindFault, startFault } from './start-fault.ts'
import { hasEnded, readTls } from './tls-files.ts'
import { Upgrades } from './upgrades.ts'

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

const GRACE_MS = 30_000
// Connections that have become idle while the server closes are ended this often.
const IDLE_CHECK_MS = 50

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
  const { log, now, state } = parts
  if (tls !== undefined && hasEnded(tls, now())) log.warn('tls.expired', { cert: config.tls?.cert })
  const management = await manage(config, parts, closing)
  const handlers = await handlersOf(parts, closing)
  const { listen: address, maxConnections } = config
  const listener = await openListener({ address, tls, maxConnections }, handlers).catch((error: unknown) => {
    throw bindFault('listen', address, error)
  })
  state.listener = listener
  closing.add(() => listener.destroy())
  const reloads = { last: Promise.resolve() }
  return {
    addresses: listener.addresses,
    management,
    get config() {
      return state.generation.config
    },
    store: parts.backing.store,
    reload: (next) => {
      const reload = reloads.last.then(() => putInForce(next, parts))
      reloads.last = reload.catch(() => undefined)
      return reload
    },
    close: (graceMs = GRACE_MS) => close(parts, listener, closing, graceMs),
  }
}

async function manage(config: Config, parts: Parts, closing: Closing): Promise<AddressInfo | undefined> {
  const { management: address } = config
  if (address === undefined) return undefined
  const { metrics, backing, state } = parts
  const unready = () => (state.closing ? 'the server is closing' : backing.unavailable())
  const management = await openManagement({ address, metrics, unready }).catch((error: unknown) => {
    throw bindFault('management', address, error)
  })
  closing.add(() => management.close())
  return management.address
}

async function handlersOf(parts: Parts, closing: Closing): Promise<ListenerHandlers> {
  const { recorder, backing, state, verifier, log, now, tunnels } = parts
  const site = await createSite({ resources: () => state.generation.config.resources })
  closing.add(() => site.close())
  const generation = () => state.generation
  const noteUse = (gid: string, at: number) => backing.noteUse(gid, at)
  const serveReserved = createReserved({ recorder, site, issuer: backing.issuer, feed: backing.feed })
  const gateway = new Gateway({ generation, verifier, recorder, log, now, noteUse, serveReserved })
  const upgrades = new Upgrades({ generation, verifier, recorder, log, now, noteUse, tunnels })
  return {
    request: (request, response, awaitsContinue) => {
      // What is answered now is the last on its connection.
      if (state.closing) response.shouldKeepAlive = false
      gateway.request(request, response, awaitsContinue)
    },
    upgrade: (request, socket, head) => upgrades.upgrade(request, socket, head),
    refused: (socket, fault) => gateway.refused(socket, fault),
  }
}

async function close(parts: Parts, listener: Listener, closing: Closing, graceMs: number): Promise<void> {
  const { state, recorder, backing, tunnels, log } = parts
  state.closing = true
  listener.stop()
  // Followers hold their streams open for ever; they come back to whoever serves next.
  backing.feed?.close()
  const idle = setInterval(() => listener.closeIdle(), IDLE_CHECK_MS)
  const finished = await settled(recorder, graceMs)
  clearInterval(idle)
  if (!finished) log.warn('shutdown.cut', { in_flight: recorder.inFlight })
  tunnels.closeAll()
  for (const failure of await closing.run()) log.warn('shutdown.fault', { fault: String(failure) })
}

/** Whether everything in flight ended in time. */
function settled(recorder: Parts['recorder'], graceMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), graceMs)
    recorder.whenIdle(() => {
      clearTimeout(timer)
      resolve(true)
    })
  })
}
