import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Where a sample server listens. */
export interface SampleOptions {
  /** 0 takes a free one. */
  readonly port: number
  /** Default 127.0.0.1: nobody but the gateway beside it should reach a server that trusts headers. */
  readonly host?: string
}

/** A sample server that is running. */
export interface SampleServer {
  readonly url: string
  /** Breaks what is still running off. */
  close(): Promise<void>
}

/** A refusal that the handler of a sample server throws and its client reads. */
export class Refusal extends Error {
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void>

/** Starts a plain server whose handler may throw {@link Refusal}; anything else that it throws is a 500. */
export async function startSample(handler: Handler, options: SampleOptions): Promise<SampleServer> {
  const server = createServer((request, response) => {
    ownPages(request, response, handler).catch((error: unknown) => refuse(request, response, error))
  })
  const host = options.host ?? '127.0.0.1'
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, host, resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** The path and query that were asked for; throws a 400 {@link Refusal} for what is no path. */
export function targetOf(request: IncomingMessage): URL {
  const target = request.url?.startsWith('/') === true ? URL.parse(`http://sample${request.url}`) : null
  if (target === null) throw new Refusal(400, 'the request names no path')
  return target
}

/** Answers with JSON, indented for people who use curl. */
export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  send(response, status, { 'content-type': 'application/json; charset=utf-8' }, `${JSON.stringify(value, null, 2)}\n`)
}

/** Answers with a whole body; HEAD gets its headers alone. */
export function send(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string | Buffer,
): void {
  const bytes = Buffer.from(body)
  response.writeHead(status, {
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
    'content-length': bytes.length,
    ...headers,
  })
  response.end(response.req.method === 'HEAD' ? undefined : bytes)
}

/** The whole body; throws a 413 {@link Refusal} beyond `maxBytes`. */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > maxBytes) throw new Refusal(413, `more than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/**
 * A sample server on loopback is within reach of every page that the same person's browser shows; those are kept out. What comes by the gateway,
 * which pages can't pretend, is the gateway's to judge.
 */
async function ownPages(request: IncomingMessage, response: ServerResponse, handler: Handler): Promise<void> {
  const direct = request.headers['x-forwarded-host'] === undefined
  if (direct && request.headers['sec-fetch-site'] === 'cross-site')
    throw new Refusal(403, 'not for pages of other sites')
  await handler(request, response)
}

function refuse(request: IncomingMessage, response: ServerResponse, error: unknown): void {
  if (response.headersSent || response.destroyed) {
    response.destroy()
    return
  }
  const status = error instanceof Refusal ? error.status : 500
  const message = error instanceof Refusal ? error.message : 'the sample server failed'
  // What is left of an upload is not read.
  if (!request.complete) response.setHeader('connection', 'close')
  sendJson(response, status, { error: message })
}
