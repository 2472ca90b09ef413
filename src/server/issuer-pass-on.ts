import { createServer } from 'node:http'
import proxy from '@fastify/http-proxy'
import { type FastifyInstance, fastify } from 'fastify'
import type { Config, UpstreamIssuer } from '../config/config.ts'
import { denial } from '../core/denial.ts'
import { fieldFate } from '../core/headers/field-fates.ts'
import { cgiName } from '../core/headers/fields.ts'
import type { ReservedRequest } from '../gateway/call.ts'
import { remoteBackChannel, type UpstreamChoice } from './feed/back-channel.ts'
import type { IssuerMount } from './issuer-mount.ts'

/** Nobody waits longer for a sign-in page; argon2 under load included. */
const HEADERS_TIMEOUT_MS = 60_000
const BODY_TIMEOUT_MS = 300_000
const CONNECT_TIMEOUT_MS = 5_000

/** What a client says of itself and its way here: the issuer hears it from this gateway only. */
function isClientClaim(name: string): boolean {
  return name === 'connection' || fieldFate(cgiName(name)) !== undefined
}

/**
 * The issuer's paths of a gateway on its own, passed on to the audgate that holds the issuer, so that clients see one origin. TLS of
 * that audgate is verified; bodies are streamed; the client's address goes along, for the issuer to believe if it trusts us.
 */
export async function mountUpstream(config: Config, issuer: UpstreamIssuer): Promise<IssuerMount> {
  const underWay = new WeakMap<object, ReservedRequest>()
  const app = fastify({ serverFactory: (handler) => createServer(handler), logger: false, exposeHeadRoutes: false })
  const choice = createUpstreamChoice(issuer.upstreams)
  await passOn(app, choice, new URL(config.publicUrl).host, underWay)
  await app.ready()
  const backChannel = remoteBackChannel(choice, config.secrets.feedToken ?? '')
  return {
    handle: (reserved) => {
      underWay.set(reserved.request, reserved)
      app.routing(reserved.request, reserved.response)
    },
    own: undefined,
    answer: undefined,
    backChannel,
    // A client's next authorization may come without it; the refusal has said all that there is to say.
    noteWeakSignIn: (refusal) => void backChannel.ask('weak_sign_in', refusal).catch(() => undefined),
    operations: undefined,
    adminSignIn: undefined,
    onKeysChanged: () => undefined,
    upstreamFailed: choice.failed,
    reconfigure: () => Promise.resolve(),
    close: async () => {
      await app.close()
    },
  }
}

function createUpstreamChoice(upstreams: readonly string[]): UpstreamChoice {
  let chosen = 0
  const current = (): string => upstreams[chosen] ?? ''
  return {
    count: upstreams.length,
    current,
    failed: (origin) => {
      if (origin === current()) chosen = (chosen + 1) % upstreams.length
    },
  }
}

async function passOn(
  app: FastifyInstance,
  choice: UpstreamChoice,
  publicHost: string,
  underWay: WeakMap<object, ReservedRequest>,
): Promise<void> {
  await app.register(proxy, {
    upstream: '',
    disableCache: true,
    undici: {
      // Verification is off by default there.
      connect: { rejectUnauthorized: true, timeout: CONNECT_TIMEOUT_MS },
      headersTimeout: HEADERS_TIMEOUT_MS,
      bodyTimeout: BODY_TIMEOUT_MS,
    },
    replyOptions: {
      getUpstream: choice.current,
      // What has not been sent yet may be sent to another one.
      retryDelay: ({ err, req, attempt }) => {
        if (err === null || err === undefined) return null
        const failed = new URL(String(req.url)).origin
        choice.failed(failed)
        if (attempt >= choice.count - 1 || (req.method !== 'GET' && req.method !== 'HEAD')) return null
        Object.assign(req, { url: new URL(String(req.url).slice(failed.length), choice.current()) })
        return 1
      },
      rewriteRequestHeaders: (request, headers) => {
        const kept = Object.entries(headers).filter(([name]) => !isClientClaim(name))
        return { ...Object.fromEntries(kept), host: publicHost, ...forwardedBy(underWay.get(request.raw)) }
      },
      onError: (reply) => {
        reply.hijack()
        underWay
          .get(reply.request.raw)
          ?.refuse(denial('upstream_refused', 'the issuer behind this gateway does not answer'))
      },
    },
  })
}

function forwardedBy(reserved: ReservedRequest | undefined): Record<string, string> {
  if (reserved === undefined) return {}
  const { client } = reserved.routing
  return {
    'x-forwarded-for': client.forwardedFor,
    'x-forwarded-host': client.host,
    'x-forwarded-proto': client.protocol,
    'x-request-id': reserved.record.id,
  }
}
