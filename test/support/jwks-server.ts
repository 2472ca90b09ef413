import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestKey } from './keys.ts'

type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** A server that publishes what a test wants, well-formed or not. */
export interface JwksServer {
  readonly origin: string
  /** How often each path was asked for. */
  readonly asked: ReadonlyMap<string, number>
  /** What is answered at a path from now on; 404 where nothing is set. */
  on(path: string, handler: Handler): void
  /** A key set at a path from now on. */
  publish(path: string, keys: readonly TestKey[], headers?: Readonly<Record<string, string>>): void
  close(): Promise<void>
}

export async function startJwksServer(): Promise<JwksServer> {
  const handlers = new Map<string, Handler>()
  const asked = new Map<string, number>()
  const server = createServer((request, response) => {
    const path = request.url ?? ''
    asked.set(path, (asked.get(path) ?? 0) + 1)
    response.setHeader('connection', 'close')
    const handler = handlers.get(path)
    if (handler === undefined) response.writeHead(404).end()
    else handler(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    on: (path, handler) => void handlers.set(path, handler),
    publish: (path, keys, headers = {}) => {
      handlers.set(path, json({ keys: keys.map((key) => key.publicJwk) }, headers))
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** Answers 200 with a JSON document. */
export function json(document: unknown, headers: Readonly<Record<string, string>> = {}): Handler {
  return (_, response) => {
    response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(document))
  }
}
