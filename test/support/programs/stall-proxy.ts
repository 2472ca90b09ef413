import { connect, createServer, type Server, type Socket } from 'node:net'

/** A TCP proxy of the loopback address that a test can stall, cut and watch. */
export interface StallProxy {
  readonly port: number
  /** Where new connections lead: a port of the loopback address. */
  target: number
  /** Connections that are open on the client's side. */
  readonly open: number
  /** Nothing passes from now on, in either direction, and nobody is told: as a cable that is pulled. New connections are taken and lead nowhere. */
  stall(): void
  /** What was held back passes, and everything after it. */
  resume(): void
  /** The connections of now lead nowhere any more, without a word; new ones work. */
  forget(): void
  /** Every open connection is reset. */
  cut(): void
  /** New connections are refused, open ones are reset; `false` takes connections again. */
  refuse(refused: boolean): void
  /** Called with every piece that comes from a client and the number of its connection; it passes on when this has resolved. */
  onward: Look | undefined
  /** The same for pieces that come back. */
  back: Look | undefined
  close(): Promise<void>
}

type Look = (chunk: Buffer, connection: number) => Promise<void> | void

interface Link {
  readonly number: number
  readonly client: Socket
  readonly server: Socket
  forgotten: boolean
}

interface State {
  readonly links: Set<Link>
  made: number
  stalled: boolean
  refused: boolean
  /** Told when something may pass again. */
  readonly waiting: Set<() => void>
}

/** Stands before a TCP server of the loopback address. @param target its port. */
export async function startStallProxy(target: number): Promise<StallProxy> {
  const state: State = { links: new Set(), made: 0, stalled: false, refused: false, waiting: new Set() }
  const server = createServer({ allowHalfOpen: false })
  const proxy: StallProxy = {
    target,
    get port() {
      const address = server.address()
      return typeof address === 'object' && address !== null ? address.port : 0
    },
    get open() {
      return state.links.size
    },
    stall: () => {
      state.stalled = true
    },
    resume: () => {
      state.stalled = false
      for (const go of state.waiting) go()
    },
    forget: () => {
      for (const link of state.links) link.forgotten = true
    },
    cut: () => {
      for (const link of state.links) link.client.resetAndDestroy()
    },
    refuse: (refused) => {
      state.refused = refused
      if (refused) proxy.cut()
    },
    onward: undefined,
    back: undefined,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve))
      state.stalled = false
      for (const go of state.waiting) go()
      for (const { client, server: other } of state.links) {
        client.destroy()
        other.destroy()
      }
      await closed
    },
  }
  server.on('connection', (client) => join(client, state, proxy))
  await listening(server)
  return proxy
}

function listening(server: Server): Promise<void> {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
}

function join(client: Socket, state: State, proxy: StallProxy): void {
  if (state.refused) {
    client.resetAndDestroy()
    return
  }
  const server = connect(proxy.target, '127.0.0.1')
  state.made += 1
  const link: Link = { number: state.made, client, server, forgotten: false }
  state.links.add(link)
  for (const socket of [client, server]) {
    socket.setNoDelay(true)
    socket.on('error', () => undefined)
  }
  client.on('close', () => {
    state.links.delete(link)
    server.destroy()
  })
  // An end is a message, too: it does not get through a cable that is pulled.
  server.on('close', () => void passing(state, link).then(() => client.destroy()))
  void pump(client, server, state, link, (...piece) => proxy.onward?.(...piece))
  void pump(server, client, state, link, (...piece) => proxy.back?.(...piece))
}

async function pump(from: Socket, to: Socket, state: State, link: Link, look: Look): Promise<void> {
  try {
    for await (const chunk of from) {
      await look(chunk, link.number)
      await passing(state, link)
      if (to.destroyed) return
      if (!to.write(chunk)) await new Promise((resolve) => to.once('drain', resolve).once('close', resolve))
    }
  } catch {
    // The connection has ended: `close` says so to the other side.
  }
}

/** Resolves when something may pass on this connection; never on one that was forgotten. */
async function passing(state: State, link: Link): Promise<void> {
  while ((state.stalled || link.forgotten) && !link.client.destroyed) {
    await new Promise<void>((resolve) => {
      const go = (): void => {
        state.waiting.delete(go)
        link.client.off('close', go)
        resolve()
      }
      if (!link.forgotten) state.waiting.add(go)
      link.client.once('close', go)
    })
  }
}
