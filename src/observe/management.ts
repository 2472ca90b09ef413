import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, isIP } from 'node:net'
import { hostname } from 'node:os'
import type { TcpAddress } from '../config/config.ts'
import type { Metrics } from './metrics.ts'

export interface ManagementOptions {
  readonly address: TcpAddress
  readonly metrics: Pick<Metrics, 'read'>
  /** What keeps the server from serving, in words; undefined: ready. */
  readonly unready: () => string | undefined
  /** What keeps the issuer from answering; undefined: nothing does, or there is none here. */
  readonly issuerUnready: () => Promise<string | undefined>
}

export interface Management {
  readonly address: AddressInfo
  close(): void
}

/**
 * `/metrics`, `/healthz` and `/readyz` on a listener of their own: who may scrape is decided by who can reach it, and asks for it by an address
 * or a name of this machine: another site's name that leads here would let that site's pages read it. Rejects with the system's error when it
 * can't bind.
 */
export function openManagement(options: ManagementOptions): Promise<Management> {
  const server = createServer((request, response) => void answer(request, response, options))
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ ...options.address, exclusive: true }, () => {
      const address = server.address()
      if (address === null || typeof address === 'string') return reject(new Error('not bound to a TCP port'))
      server.off('error', reject)
      server.on('error', () => undefined)
      resolve({
        address,
        close: () => {
          server.close()
          server.closeAllConnections()
        },
      })
    })
  })
}

async function answer(request: IncomingMessage, response: ServerResponse, options: ManagementOptions): Promise<void> {
  const path = (request.url ?? '').split('?', 1)[0]
  if (!isOwnName(request.headers.host, options.address.host))
    return send(response, 421, 'ask by an address, localhost or the name of this machine\n')
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD')
    return send(response, 405, 'GET or HEAD only\n')
  }
  if (path === '/healthz') return send(response, 200, 'ok\n')
  if (path === '/readyz' || path === '/readyz/issuer') {
    const unready = path === '/readyz' ? options.unready() : (options.unready() ?? (await options.issuerUnready()))
    return unready === undefined ? send(response, 200, 'ready\n') : send(response, 503, `not ready: ${unready}\n`)
  }
  if (path !== '/metrics') return send(response, 404, 'try /metrics, /healthz, /readyz or /readyz/issuer\n')
  try {
    const { contentType, text } = await options.metrics.read()
    send(response, 200, text, contentType)
  } catch (error) {
    send(response, 500, `the metrics could not be read: ${error instanceof Error ? error.message : 'unknown'}\n`)
  }
}

/** A client that sends no Host is no browser. */
function isOwnName(field: string | undefined, listening: string): boolean {
  if (field === undefined) return true
  const name = field.replace(/:[0-9]*$/, '').replace(/^\[(.*)\]$/, '$1')
  return (
    isIP(name) !== 0 || ['localhost', listening, hostname()].some((own) => own.toLowerCase() === name.toLowerCase())
  )
}

function send(response: ServerResponse, status: number, text: string, contentType = 'text/plain; charset=utf-8'): void {
  response.writeHead(status, {
    'Content-Type': contentType,
    'Content-Length': Buffer.byteLength(text),
    'Cache-Control': 'no-store',
  })
  response.end(text)
}
