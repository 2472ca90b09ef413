import { createServer, type Server } from 'node:http'
import { type AddressInfo, isIP } from 'node:net'
import { hostname } from 'node:os'
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify'
import type { TcpAddress } from '../config/config.ts'
import type { Metrics } from './metrics.ts'

interface ManagementOptions {
  readonly address: TcpAddress
  readonly metrics: Pick<Metrics, 'read'>
  /** What keeps the server from serving, in words; undefined: ready. */
  readonly unready: () => string | undefined
  /** What keeps the issuer from answering; undefined: nothing does, or there is none here. */
  readonly issuerUnready: () => Promise<string | undefined>
}

interface Management {
  readonly address: AddressInfo
  close(): void
}

/**
 * `/metrics`, `/healthz` and `/readyz` on a listener of their own: who may scrape is decided by who can reach it, and asks for it by an address
 * or a name of this machine: another site's name that leads here would let that site's pages read it. Rejects with the system's error when it
 * can't bind.
 */
export async function openManagement(options: ManagementOptions): Promise<Management> {
  const app = fastify({
    // Node's own bounds of time for requests; Fastify's servers have none.
    serverFactory: (handler) => createServer(handler),
    logger: false,
    frameworkErrors: (_error, request, reply) =>
      void (refuseEarly(request, reply, options.address.host) ?? notFound(reply)),
  })
  app.addHook('onRequest', async (request, reply) => refuseEarly(request, reply, options.address.host))
  app.setNotFoundHandler((_request, reply) => notFound(reply))
  app.setErrorHandler((_error, _request, reply) => send(reply, 500, 'this could not be answered\n'))
  addAnswers(app, options)
  await app.ready()
  // What is no HTTP is answered as by a server without a framework.
  app.server.removeAllListeners('clientError')
  return { address: await listen(app.server, options.address), close: () => closeNow(app.server) }
}

function listen(server: Server, at: TcpAddress): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ ...at, exclusive: true }, () => {
      const address = server.address()
      if (address === null || typeof address === 'string') return reject(new Error('not bound to a TCP port'))
      server.off('error', reject)
      server.on('error', () => undefined)
      resolve(address)
    })
  })
}

function closeNow(server: Server): void {
  server.close()
  server.closeAllConnections()
}

function addAnswers(app: FastifyInstance, { metrics, unready, issuerUnready }: ManagementOptions): void {
  app.get('/healthz', (_request, reply) => send(reply, 200, 'ok\n'))
  app.get('/readyz', (_request, reply) => sendReadiness(reply, unready()))
  app.get('/readyz/issuer', async (_request, reply) => sendReadiness(reply, unready() ?? (await issuerUnready())))
  app.get('/metrics', async (_request, reply) => {
    try {
      const { contentType, text } = await metrics.read()
      return send(reply, 200, text, contentType)
    } catch (error) {
      const why = error instanceof Error ? error.message : 'unknown'
      return send(reply, 500, `the metrics could not be read: ${why}\n`)
    }
  })
}

/** Refuses another site's name, another method, and a path in another spelling than its own; undefined: nothing of that. */
function refuseEarly(request: FastifyRequest, reply: FastifyReply, listening: string): FastifyReply | undefined {
  const { method, url } = request.raw
  if (!isOwnName(request.raw.headers.host, listening))
    return send(reply, 421, 'ask by an address, localhost or the name of this machine\n')
  if (method !== 'GET' && method !== 'HEAD') return send(reply.header('allow', 'GET, HEAD'), 405, 'GET or HEAD only\n')
  return request.routeOptions.url === url?.split('?', 1)[0] ? undefined : notFound(reply)
}

/** A client that sends no Host is no browser. */
function isOwnName(field: string | undefined, listening: string): boolean {
  if (field === undefined) return true
  const name = field.replace(/:[0-9]*$/, '').replace(/^\[(.*)\]$/, '$1')
  return (
    isIP(name) !== 0 || ['localhost', listening, hostname()].some((own) => own.toLowerCase() === name.toLowerCase())
  )
}

function sendReadiness(reply: FastifyReply, unready: string | undefined): FastifyReply {
  return unready === undefined ? send(reply, 200, 'ready\n') : send(reply, 503, `not ready: ${unready}\n`)
}

function notFound(reply: FastifyReply): FastifyReply {
  return send(reply, 404, 'try /metrics, /healthz, /readyz or /readyz/issuer\n')
}

function send(
  reply: FastifyReply,
  status: number,
  text: string,
  contentType = 'text/plain; charset=utf-8',
): FastifyReply {
  return reply.code(status).headers({ 'content-type': contentType, 'cache-control': 'no-store' }).send(text)
}
