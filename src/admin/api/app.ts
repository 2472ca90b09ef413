import type { AsyncLocalStorage } from 'node:async_hooks'
import { createServer } from 'node:http'
import swagger from '@fastify/swagger'
import { type FastifyError, type FastifyReply, type FastifyRequest, fastify } from 'fastify'
import {
  hasZodFastifySchemaValidationErrors,
  isResponseSerializationError,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod'
import { z } from 'zod'
import { StoreError } from '../../store/store.ts'
import { actorOf, type Caller } from '../caller.ts'
import type { AdminDependencies } from '../dependencies.ts'
import { invalid, notFound, Problem, problemDocument } from '../problem.ts'
import { type Access, demand } from './demand.ts'
import { describeOperation } from './description.ts'
import { readJson } from './json-body.ts'
import { askedOf, boundCursor, unboundCursor } from './page.ts'

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller
    /** What a list was asked for, but for the place in it. */
    asked: string
  }
  interface FastifyContextConfig {
    access?: Access
  }
}

/** Below the path of the resource. */
export const API_PREFIX = '/admin/api/v1'
const LARGEST_BODY = 64 * 1024

const WINDOW_MS = 60_000
const MOST = { r: 600, w: 60 } as const
const MOST_SUBJECTS = 10_000

interface Window {
  readonly from: number
  count: number
}

/** Fastify as the API uses it: zod schemas validate, serialize and describe. */
export async function createApp(dependencies: AdminDependencies, callers: AsyncLocalStorage<Caller>) {
  const app = fastify({
    // Fastify wants a server to hold; requests come from the gateway's listener.
    serverFactory: (handler) => createServer(handler),
    routerOptions: { caseSensitive: true, ignoreTrailingSlash: false, maxParamLength: 2_048 },
    logger: false,
    bodyLimit: LARGEST_BODY,
    frameworkErrors: (_error, request, reply) => {
      enter(callers, request, reply)
      sendProblem(new Problem(400, 'invalid_request', 'the path is none that can be read'), request, reply)
    },
  }).withTypeProvider<ZodTypeProvider>()
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  app.removeContentTypeParser(['text/plain', 'application/json'])
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, async (request: FastifyRequest, body: Buffer) =>
    readJson(request.headers, body),
  )
  app.setErrorHandler((error: FastifyError, request, reply) =>
    sendProblem(problemOf(error, dependencies), request, reply),
  )
  app.setNotFoundHandler((request, reply) => sendProblem(notFound('path'), request, reply))
  const rates = createRates(dependencies.now)
  app.addHook('onRequest', async (request, reply) => {
    enter(callers, request, reply)
    rates.spend(request.caller, request.routeOptions.config.access?.scope ?? 'r')
    await demand(request.caller, request.routeOptions.config.access, dependencies)
  })
  app.addHook('onRoute', (route) => {
    route.schema = { querystring: z.strictObject({}), ...route.schema }
  })
  app.addHook('preValidation', async (request) => {
    demandNoNull(request.query)
    if (request.method === 'DELETE') demandNothing(request.body)
    readPlace(request)
  })
  app.addHook('preSerialization', async (request, _reply, payload) => withBoundCursor(request, payload))
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'audgate administration', version: '1', description: 'People, clients, decisions and access.' },
      servers: [{ url: dependencies.origin }],
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
    },
    transform: describeOperation(API_PREFIX),
  })
  return app
}

export type App = Awaited<ReturnType<typeof createApp>>

/** Digits are the only way to write a limit, and a cursor leads on only in the list that gave it. */
function readPlace(request: FastifyRequest): void {
  const { limit, cursor }: { readonly limit?: unknown; readonly cursor?: unknown } = Object(request.query)
  if (typeof limit === 'string' && !/^\d{1,15}$/.test(limit)) throw invalid('limit', 'must be a number of digits')
  const [path = ''] = request.url.split('?')
  request.asked = askedOf(path, request.query)
  if (typeof cursor === 'string') Object.assign(Object(request.query), { cursor: unboundCursor(cursor, request.asked) })
}

function withBoundCursor({ asked }: FastifyRequest, payload: unknown): unknown {
  const next: unknown = typeof payload === 'object' && payload !== null ? Reflect.get(payload, 'next') : undefined
  return typeof next === 'string' ? { ...Object(payload), next: boundCursor(next, asked) } : payload
}

/** What every request begins with: who calls, and what each answer says. */
function enter(callers: AsyncLocalStorage<Caller>, request: FastifyRequest, reply: FastifyReply): void {
  const caller = callers.getStore()
  if (caller === undefined) throw new Error('a request without a caller')
  request.caller = caller
  reply.headers({
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    'X-Request-Id': caller.requestId,
  })
}

/** What is deleted stands in the path alone. */
function demandNothing(body: unknown): void {
  for (const name of Object.keys(Object(body))) throw invalid(name, NOT_READ)
}

/** U+0000 ends texts in databases: nothing that is looked for holds it. */
function demandNoNull(query: unknown): void {
  for (const [name, value] of Object.entries(Object(query)))
    if (String(value).includes('\0')) throw invalid(name, 'must not hold U+0000')
}

const NOT_READ = 'is not read here'

function problemOf(error: FastifyError, { warn }: AdminDependencies): Problem {
  if (error instanceof Problem) return error
  if (error instanceof StoreError) {
    return new Problem(503, 'store_unavailable', 'the store can’t be used now; try again', {
      headers: { 'Retry-After': '5' },
    })
  }
  if (hasZodFastifySchemaValidationErrors(error)) {
    const errors = error.validation.flatMap(({ instancePath, message = NOT_READ, params }) => {
      const path = instancePath.split('/').filter((part) => part !== '')
      const unknown: unknown = Reflect.get(Object(params), 'keys')
      return Array.isArray(unknown)
        ? unknown.map((name) => ({ path: [...path, String(name)].join('.'), message: NOT_READ }))
        : [{ path: path.join('.') || 'body', message }]
    })
    const [first] = errors
    return new Problem(400, 'invalid_request', `${first?.path ?? ''}: ${first?.message ?? ''}`, { errors })
  }
  if (error.statusCode === 413) return new Problem(413, 'body_too_large', 'the body is too large')
  if (error.statusCode === 415) return new Problem(415, 'unsupported_media_type', 'send application/json')
  if (error.statusCode === 400) return new Problem(400, 'invalid_request', 'the body is no JSON that is read here')
  const fault = isResponseSerializationError(error)
    ? JSON.stringify(error.cause.issues)
    : (error.stack ?? error.message)
  warn('admin.fault', { fault })
  return new Problem(500, 'internal_error', 'this is a fault of the gateway; its log says more')
}

function sendProblem(problem: Problem, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const text = JSON.stringify(problemDocument(problem, request.caller.requestId))
  return reply
    .code(problem.status)
    .headers({ 'Content-Type': 'application/problem+json', ...problem.extras.headers })
    .serializer((payload: string) => payload)
    .send(text)
}

/** Calls of a minute by subject: reads and writes apart. @param now Milliseconds. */
function createRates(now: () => number): { spend(caller: Caller, kind: 'r' | 'w'): void } {
  const windows = new Map<string, Window>()
  const windowOf = (key: string, at: number): Window => {
    const known = windows.get(key)
    if (known !== undefined && at - known.from < WINDOW_MS && at >= known.from) return known
    if (windows.size >= MOST_SUBJECTS) windows.clear()
    const window = { from: at, count: 0 }
    windows.set(key, window)
    return window
  }
  return {
    spend: (caller, kind) => {
      const at = now()
      const window = windowOf(`${kind} ${actorOf(caller)}`, at)
      window.count += 1
      if (window.count <= MOST[kind]) return
      const seconds = Math.max(1, Math.ceil((window.from + WINDOW_MS - at) / 1_000))
      throw new Problem(429, 'too_many', `more than ${MOST[kind]} calls in a minute; try again in ${seconds} s`, {
        headers: { 'Retry-After': String(seconds) },
      })
    },
  }
}
