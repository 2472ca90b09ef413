import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type FastifyInstance, type FastifyReply, fastify } from 'fastify'
import type { Config } from '../config/config.ts'
import { parseHost } from '../core/address.ts'
import { type Denial, DPOP_ALGS, denial } from '../core/denial.ts'
import { METADATA_PATH } from '../core/paths/router.ts'
import type { Resource } from '../core/resource.ts'
import { answerFor } from '../gateway/answers.ts'

/** What the metadata of protected resources (RFC 9728) is made from. */
export interface MetadataEndpointOptions {
  /** Those of the configuration in force. */
  readonly resources: () => readonly Resource[]
}

/** The small pages of the gateway's own: resource metadata, and later the admin's. The issuer's are not among them. */
export interface MetadataEndpoint {
  /** @param requestId Stands in its refusals. */
  handle(request: IncomingMessage, response: ServerResponse, requestId: string): void
  close(): Promise<void>
}

/** What documents are served for: the file's resources, and that of the operator's API. */
export function knownResources({ resources, admin }: Config): readonly Resource[] {
  return admin === undefined ? resources : [...resources, admin.resource]
}

// Documents change with routes.yaml only; clients may keep them for a short while.
const METADATA_MAX_AGE_SECONDS = 60

/** Serves requests that the gateway has found to be for reserved paths; listens on nothing by itself. */
export async function createMetadataEndpoint(options: MetadataEndpointOptions): Promise<MetadataEndpoint> {
  const ids = new WeakMap<IncomingMessage, string>()
  const app = fastify({
    // Fastify wants a server to hold; requests come from the gateway's listener.
    serverFactory: (handler) => createServer(handler),
    // The gateway has judged host and path already; Fastify's own ideas of them must not come on top.
    routerOptions: { caseSensitive: true, ignoreTrailingSlash: false },
    logger: false,
    bodyLimit: 65_536,
    exposeHeadRoutes: false,
    genReqId: (request) => ids.get(request) ?? '',
  })
  // Nothing here reads a body, whatever it says it is.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, payload, done) => {
    payload.resume()
    done(null)
  })
  addMetadata(app, options)
  app.setNotFoundHandler((request, reply) => notFound(request.raw, reply))
  await app.ready()
  return {
    handle: (request, response, requestId) => {
      ids.set(request, requestId)
      app.routing(request, response)
    },
    close: async () => {
      await app.close()
    },
  }
}

/** The RFC 9728 §2 document of a resource. */
export function resourceMetadata(resource: Resource): Readonly<Record<string, unknown>> {
  return {
    resource: resource.identifier,
    resource_name: resource.name,
    authorization_servers: resource.issuers,
    scopes_supported: [...resource.scopes.keys()],
    bearer_methods_supported: ['header'],
    dpop_signing_alg_values_supported: DPOP_ALGS,
  }
}

/** `/.well-known/oauth-protected-resource` and the path (and query) of the resource's identifier. */
export function metadataPath(resource: Resource): string {
  return resource.metadataUrl.slice(resource.metadataUrl.indexOf(METADATA_PATH))
}

/**
 * The resource whose metadata `host` (lower case, without port) is asked for at `pathAndQuery`, as received. Another host's is answered too when no
 * resource of this host has the path: clients compare `resource` themselves (RFC 9728 §3.3).
 */
export function findResourceByMetadata(
  resources: readonly Resource[],
  host: string,
  pathAndQuery: string,
): Resource | undefined {
  const found = resources.filter((resource) => metadataPath(resource) === pathAndQuery)
  return found.find((resource) => hostOf(resource) === host) ?? found[0]
}

/** RFC 9728 documents: for anybody, from anywhere. */
function addMetadata(app: FastifyInstance, { resources }: MetadataEndpointOptions): void {
  const answer = (request: IncomingMessage, reply: FastifyReply): FastifyReply => {
    const host = parseHost(request.headers.host ?? '') ?? ''
    const resource = findResourceByMetadata(resources(), host, request.url ?? '')
    if (resource === undefined) return notFound(request, reply)
    const body = JSON.stringify(resourceMetadata(resource))
    return reply
      .code(200)
      .headers({
        'Content-Type': 'application/json',
        'Cache-Control': `public, max-age=${METADATA_MAX_AGE_SECONDS}`,
        'Access-Control-Allow-Origin': '*',
        'X-Content-Type-Options': 'nosniff',
      })
      .send(body)
  }
  for (const url of [METADATA_PATH, `${METADATA_PATH}/*`]) {
    app.route({ method: ['GET', 'HEAD'], url, handler: (request, reply) => answer(request.raw, reply) })
    app.route({ method: 'OPTIONS', url, handler: (_request, reply) => preflight(reply) })
    app.route({
      method: ['POST', 'PUT', 'PATCH', 'DELETE'],
      url,
      handler: (request, reply) =>
        refuse(request.raw, reply, denial('method_not_allowed', 'use GET', { allow: READS })),
    })
  }
}

function preflight(reply: FastifyReply): FastifyReply {
  return reply
    .code(204)
    .headers({
      'Access-Control-Allow-Origin': '*',
      'Access-Control-Allow-Methods': 'GET, HEAD',
      'Access-Control-Allow-Headers': '*',
      'Access-Control-Max-Age': '600',
      'Cache-Control': 'no-store',
    })
    .send()
}

const READS = ['GET', 'HEAD', 'OPTIONS']

function notFound(request: IncomingMessage, reply: FastifyReply): FastifyReply {
  return refuse(request, reply, denial('no_route', 'there is nothing at this reserved path'))
}

function refuse(request: IncomingMessage, reply: FastifyReply, denied: Denial): FastifyReply {
  const { method = '', rawHeaders } = request
  const answer = answerFor(denied, { method, rawHeaders, requestId: String(reply.request.id), route: undefined })
  for (let i = 0; i + 1 < answer.headers.length; i += 2) reply.header(answer.headers[i] ?? '', answer.headers[i + 1])
  return reply.code(answer.status).send(answer.body)
}

function hostOf(resource: Resource): string | undefined {
  return /^https?:\/\/(\[[^\]]*\]|[^/:?#]*)/i.exec(resource.metadataUrl)?.[1]?.toLowerCase()
}
