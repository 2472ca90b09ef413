import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket, type Server as TcpServer } from 'node:net'

/** One request as an upstream got it. */
export interface Seen {
  readonly method: string
  readonly url: string
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[]
  readonly rawTrailers: readonly string[]
  readonly bodyBytes: number
  /** SHA-256, hex. */
  readonly bodyHash: string
}

export interface TestUpstream {
  readonly url: string
  readonly port: number
  /** Requests whose body has come whole, in order. */
  readonly seen: Seen[]
  /** Request heads that came, whole body or not. */
  readonly heads: number
  /** Open connections. */
  readonly connections: number
  close(): Promise<void>
}

/** A real HTTP server on loopback that answers by `respond`; by default with the request as JSON. */
export async function startUpstream(
  respond: (request: IncomingMessage, response: ServerResponse, seen: Seen) => void = echo,
): Promise<TestUpstream> {
  const seen: Seen[] = []
  const state = { heads: 0 }
  const sockets = new Set<Socket>()
  const server = createServer({ requireHostHeader: false, maxHeaderSize: 131_072 }, (request, response) => {
    state.heads += 1
    readWhole(request, (whole) => {
      seen.push(whole)
      respond(request, response, whole)
    })
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  const port = await listenOnLoopback(server)
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    seen,
    get heads() {
      return state.heads
    },
    get connections() {
      return sockets.size
    },
    close: () => stopServer(server),
  }
}

/** The last request's value of a field; undefined when it didn't come, an array when it came more than once. */
export function fieldOf(seen: Seen | undefined, name: string): string | string[] | undefined {
  const values = fieldsOf(seen?.rawHeaders ?? [], name)
  return values.length > 1 ? values : values[0]
}

/** All values of a field in raw headers. */
export function fieldsOf(rawHeaders: readonly string[], name: string): string[] {
  return rawHeaders.flatMap((field, i) =>
    i % 2 === 0 && field.toLowerCase() === name.toLowerCase() ? [rawHeaders[i + 1] ?? ''] : [],
  )
}

export function listenOnLoopback(server: TcpServer, port = 0): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
  })
}

export function stopServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}

function readWhole(request: IncomingMessage, done: (seen: Seen) => void): void {
  const hash = createHash('sha256')
  let bodyBytes = 0
  request.on('error', () => undefined)
  request.on('data', (chunk: Buffer) => {
    hash.update(chunk)
    bodyBytes += chunk.length
  })
  request.on('end', () => {
    const { method = '', url = '', rawHeaders, rawTrailers } = request
    done({ method, url, rawHeaders, rawTrailers, bodyBytes, bodyHash: hash.digest('hex') })
  })
}

function echo(_request: IncomingMessage, response: ServerResponse, seen: Seen): void {
  const body = JSON.stringify(seen)
  response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) })
  response.end(body)
}

/** An answer as its bytes came. */
export interface RawAnswer {
  readonly status: number
  readonly head: string
  /** By lower-case name; the last of several. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
  /** Everything that came. */
  readonly text: string
}

/**
 * Sends bytes (a string counts as latin1) on a connection of their own and answers with all that came until the server closed it,
 * or until a whole answer with Content-Length was there.
 */
export function rawRequest(port: number, bytes: string | Uint8Array, host = '127.0.0.1'): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, host)
    let text = ''
    const isHead = Buffer.from(bytes).toString('latin1', 0, 5) === 'HEAD '
    const timer = setTimeout(() => {
      socket.destroy()
      reject(new Error(`no whole answer within 15 s; got ${JSON.stringify(text)}`))
    }, 15_000)
    const settle = (): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(parseAnswer(text))
    }
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      if (isWhole(text, isHead)) settle()
    })
    socket.on('error', () => undefined)
    socket.once('close', settle)
    socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
  })
}

/** Takes the first final answer in `text` apart; status 0 when there is none. */
export function parseAnswer(text: string): RawAnswer {
  const final = text.replace(/^(HTTP\/1\.1 1[0-9][0-9] (?:[^\r]|\r(?!\n\r\n))*\r\n\r\n)+/, '')
  const end = final.indexOf('\r\n\r\n')
  const head = end === -1 ? final : final.slice(0, end)
  const [statusLine = '', ...lines] = head.split('\r\n')
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const
    }),
  )
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(statusLine)?.[1] ?? 0)
  return { status, head, headers, body: end === -1 ? '' : final.slice(end + 4), text }
}

function isWhole(text: string, isHead: boolean): boolean {
  const { status, headers, body, head } = parseAnswer(text)
  if (status === 0 || !text.includes(`${head}\r\n\r\n`)) return false
  if (isHead || status === 204 || status === 304) return true
  if (headers.get('transfer-encoding') === 'chunked') return body.endsWith('0\r\n\r\n')
  const length = headers.get('content-length')
  return length !== undefined && body.length >= Number(length)
}
