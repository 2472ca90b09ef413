import { once } from 'node:events'
import { chmodSync, fstatSync, lstatSync, unlinkSync } from 'node:fs'
import { connect } from 'node:net'
import type { ListenAddress } from '../config/config.ts'
import { weakSignInOf } from '../core/assurance.ts'
import type { Denial } from '../core/denial.ts'
import type { VerifiedToken } from '../core/token.ts'
import { BrowserEndpoints } from '../gateway/browser/browser-endpoints.ts'
import type { Call, OwnRequest } from '../gateway/call.ts'
import type { ParserHandlers } from '../gateway/full-parser.ts'
import { Gateway } from '../gateway/gateway.ts'
import { type Listener, openListener, type TlsMaterial } from '../gateway/listener.ts'
import type { Closing } from './closing.ts'
import type { Runtime } from './runtime.ts'
import { bindFault } from './start-fault.ts'

interface FrontOptions {
  /** Undefined: plain HTTP. */
  readonly tls: TlsMaterial | undefined
  readonly serveReserved: (own: OwnRequest) => void
}

// Connections that have become idle while the server closes are ended this often.
const IDLE_CHECK_MS = 50

/** Opens the public listener with the data path behind it. Rejects with a StartFault when it can't bind. */
export async function openFront(runtime: Runtime, options: FrontOptions, closing: Closing): Promise<Listener> {
  const { state } = runtime
  const { listen: address, maxConnections } = state.active.config
  const handlers = handlersOf(runtime, options.serveReserved)
  const listener = await openListener({ address, tls: options.tls, maxConnections }, handlers).catch(
    (error: unknown) => {
      throw bindFault('listen', address, error)
    },
  )
  letGroupIn(address)
  state.listener = listener
  closing.add(() => listener.destroy())
  return listener
}

/** Answers what browsers need of the gateway itself. */
export function browserEndpoints({ credentials, backing, now }: Runtime): (own: OwnRequest) => void {
  const endpoints = new BrowserEndpoints({ credentials, backChannel: backing.issuer.backChannel, now })
  return (own) => endpoints.handle(own)
}

/** Takes no new connections, lets running requests finish, closes tunnels, then everything that was opened. */
export async function closeFront(runtime: Runtime, closing: Closing, graceMs: number): Promise<void> {
  const { state, recorder, tunnels, log } = runtime
  state.closing = true
  state.listener?.stop()
  const idle = setInterval(() => state.listener?.closeIdle(), IDLE_CHECK_MS)
  const finished = await settled(recorder, graceMs)
  clearInterval(idle)
  if (!finished) log.warn('shutdown.cut', { in_flight: recorder.inFlight })
  tunnels.closeAll()
  for (const failure of await closing.run()) log.warn('shutdown.fault', { fault: String(failure) })
}

/**
 * Makes room for a unix socket: takes away what a process that was killed has left. Leaves a socket on which somebody answers, and
 * whatever is no socket, so that binding fails with the reason. Before any worker listens.
 */
export async function clearStaleSocket(address: ListenAddress): Promise<void> {
  if (!('path' in address)) return
  const { path } = address
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() !== true) return
  const socket = connect(path)
  const answered = await once(socket, 'connect').then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ECONNREFUSED',
  )
  socket.destroy()
  if (!answered) unlinkSync(path)
}

/** Throws a StartFault where the descriptor is no socket: it may be one of Node's own, which ends with it when that is tried. */
export function findHandedOver(address: ListenAddress): void {
  if (!('fd' in address)) return
  const found = { isSocket: false }
  try {
    found.isSocket = fstatSync(address.fd).isSocket()
  } catch (error) {
    throw bindFault('listen', address, error)
  }
  if (!found.isSocket) throw bindFault('listen', address, undefined)
}

function handlersOf(runtime: Runtime, serveReserved: FrontOptions['serveReserved']): ParserHandlers<Call> {
  const { recorder, backing, state, credentials, log, now, tunnels } = runtime
  const { backChannel } = backing.issuer
  const active = () => state.active
  const noteWeakSignIn = (denied: Denial, token: VerifiedToken | undefined) => {
    const weak = weakSignInOf(denied, token)
    if (weak !== undefined) backing.noteWeakSignIn(weak)
  }
  const noteUse = (gid: string, at: number) => backing.noteUse(gid, at)
  const gateway = new Gateway({
    active,
    credentials,
    backChannel,
    recorder,
    tunnels,
    log,
    now,
    noteUse,
    noteWeakSignIn,
    serveReserved,
  })
  return {
    request: (incoming) => {
      // What is answered now is the last on its connection.
      if (state.closing) incoming.response.shouldKeepAlive = false
      return gateway.request(incoming)
    },
    tunnels: (head, protocol) => gateway.tunnels(head, protocol),
    refused: (socket, fault, call) => gateway.refused(socket, fault, call),
  }
}

/** Whether everything in flight ended in time. */
function settled(recorder: Runtime['recorder'], graceMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), graceMs)
    recorder.whenIdle(() => {
      clearTimeout(timer)
      resolve(true)
    })
  })
}

/** Lets the owner's group in, such as a web server's that stands in front; nobody else. */
function letGroupIn(address: ListenAddress): void {
  if ('path' in address) chmodSync(address.path, 0o660)
}
