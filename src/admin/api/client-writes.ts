import type { IncomingHttpHeaders } from 'node:http'
import { z } from 'zod'
import { createKeyedLock } from '../../store/keyed-lock.ts'
import type { ClientRecord } from '../../store/store.ts'
import { type Caller, whyOf } from '../caller.ts'
import type { AdminDependencies } from '../dependencies.ts'
import { conflict, demandMatch, invalid, notFound, Problem, preconditionRequired, stale, tagOf } from '../problem.ts'
import type { App } from './app.ts'
import {
  ALLOW,
  BUILT_IN,
  CLIENT,
  CLIENT_ID,
  CLIENT_TYPE,
  clientOf,
  MOST_COUNTED,
  STEP_UP,
  shownClient,
} from './clients.ts'
import { demandFresh, demandPerson } from './demand.ts'

const BODY = z.strictObject({
  type: CLIENT_TYPE,
  name: z.string().max(128),
  redirect_uris: z.array(z.string().max(2_048)).max(50).default([]),
  third_party: z.boolean().default(false),
  allow: ALLOW.default({}),
  step_up: STEP_UP.default('keep'),
})
type Body = z.output<typeof BODY>

const MADE = CLIENT.extend({ client_secret: z.string().optional().describe('Shown now and never again.') })
const ENDED = z.object({ ended: z.object({ authorizations: z.number() }) })
const NOTHING = z.strictObject({}).nullish()

/** Operations that change clients. */
export function addClientWrites(app: App, dependencies: AdminDependencies): void {
  const { store, issuer } = dependencies
  const oneByOne = createKeyedLock()
  app.put(
    '/clients/:id',
    {
      config: { access: { scope: 'w' } },
      schema: { params: CLIENT_ID, body: BODY, response: { 200: CLIENT, 201: MADE } },
    },
    ({ params: { id }, body, caller, headers }, reply) =>
      oneByOne.take(id, async () => {
        const client = await store.client(id)
        await demandCaller(dependencies, caller, client, body)
        if (BUILT_IN.has(id)) throw conflict('built_in', 'this client is the gateway’s own')
        if (isToBeNew(headers)) {
          const { tag, shown } = await made(dependencies, id, body, whyOf(caller))
          return reply.code(201).header('ETag', tag).send(shown)
        }
        if (client === undefined) throw notFound('client')
        demandMatch(headers['if-match'], tagOf(client), shownClient(client))
        const next = await changed(dependencies, client, body)
        // Another instance, or a revocation, may have been faster.
        if (!(await issuer.replaceClient(client, next, whyOf(caller)))) throw await changedMeanwhile(store, id)
        return reply.code(200).header('ETag', tagOf(next)).send(shownClient(next))
      }),
  )
  for (const act of ['revoke', 'end'] as const) {
    app.post(
      `/clients/:id/${act}`,
      { config: { access: { scope: 'w' } }, schema: { params: CLIENT_ID, body: NOTHING, response: { 200: ENDED } } },
      async ({ params, caller }) => {
        const client = await clientOf(store, params.id)
        const authorizations = await store.countAuthorizations({ clientId: client.id }, MOST_COUNTED)
        const why = whyOf(caller)
        const acts = issuer.acts(why)
        await (act === 'revoke' ? acts.revokeClient(client.id, why.by) : acts.endClient(client.id, why.by))
        return { ended: { authorizations } }
      },
    )
  }
  app.post(
    '/clients/:id/restore',
    {
      config: { access: { scope: 'w', fresh: true } },
      schema: { params: CLIENT_ID, body: NOTHING, response: { 200: CLIENT } },
    },
    async ({ params, caller }, reply) => {
      const client = await clientOf(store, params.id)
      if (holdsAdminScopes(shownClient(client).allow)) demandPerson(caller)
      const why = whyOf(caller)
      await issuer.acts(why).restoreClient(client.id, why.by)
      const restored = await clientOf(store, client.id)
      reply.header('ETag', tagOf(restored))
      return shownClient(restored)
    },
  )
  addSecrets(app, dependencies, oneByOne)
  app.delete(
    '/clients/:id',
    { config: { access: { scope: 'w', fresh: true } }, schema: { params: CLIENT_ID, response: { 204: z.null() } } },
    ({ params, caller, headers }, reply) =>
      oneByOne.take(params.id, async () => {
        const client = await clientOf(store, params.id)
        if (BUILT_IN.has(client.id)) throw conflict('built_in', 'this client is the gateway’s own')
        demandMatch(headers['if-match'], tagOf(client), shownClient(client))
        if (!client.revoked) throw conflict('not_revoked', 'revoke the client first')
        if (!(await issuer.deleteClient(client.id, whyOf(caller)))) throw notFound('client')
        return reply.code(204).send(null)
      }),
  )
}

const MOST_SECRETS = 2

/** A new secret beside the old one, so that a change leaves no gap. */
function addSecrets(
  app: App,
  { store, issuer }: AdminDependencies,
  oneByOne: ReturnType<typeof createKeyedLock>,
): void {
  app.post(
    '/clients/:id/secrets',
    {
      config: { access: { scope: 'w', fresh: true } },
      schema: {
        params: CLIENT_ID,
        body: NOTHING,
        response: { 201: z.object({ id: z.string(), client_secret: z.string() }) },
      },
    },
    ({ params, caller }, reply) =>
      oneByOne.take(params.id, async () => {
        const client = await clientOf(store, params.id)
        if (BUILT_IN.has(client.id)) throw conflict('built_in', 'this client is the gateway’s own')
        if (holdsAdminScopes(shownClient(client).allow)) demandPerson(caller)
        const secrets = await issuer.secretsOf(client)
        if (secrets.length === 0) throw conflict('public_client', 'a client of this type has no secret')
        if (secrets.length >= MOST_SECRETS) throw conflict('two_secrets', 'there are two already; remove one first')
        const added = await issuer.addSecret(client, whyOf(caller))
        if (added === undefined) throw await changedMeanwhile(store, client.id)
        return reply.code(201).send({ id: added.id, client_secret: added.secret })
      }),
  )
  app.delete(
    '/clients/:id/secrets/:sid',
    {
      config: { access: { scope: 'w' } },
      schema: { params: CLIENT_ID.extend({ sid: z.string().max(64) }), response: { 204: z.null() } },
    },
    ({ params, caller }, reply) =>
      oneByOne.take(params.id, async () => {
        const client = await clientOf(store, params.id)
        const secrets = await issuer.secretsOf(client)
        if (!secrets.some(({ id }) => id === params.sid)) throw notFound('secret')
        if (secrets.length === 1) throw conflict('last_secret', 'this is the only secret; add another one first')
        if (!(await issuer.removeSecret(client, params.sid, whyOf(caller))))
          throw await changedMeanwhile(store, client.id)
        return reply.code(204).send(null)
      }),
  )
}

/** Throws the problem unless the caller may put `body` in the place of `before`. */
async function demandCaller(
  dependencies: AdminDependencies,
  caller: Caller,
  before: ClientRecord | undefined,
  { type, allow }: Body,
): Promise<void> {
  const isAdmins = holdsAdminScopes(allow) || (before !== undefined && holdsAdminScopes(shownClient(before).allow))
  if (isAdmins) demandPerson(caller)
  if (isAdmins || type === 'web' || type === 'service') await demandFresh(caller, dependencies)
}

/** Whether the client is to be made; throws the problem where it isn't said, or both is. */
function isToBeNew({ 'if-match': match, 'if-none-match': none }: IncomingHttpHeaders): boolean {
  if (none !== undefined && match !== undefined)
    throw new Problem(400, 'invalid_request', 'send If-None-Match to make a client or If-Match to change one, not both')
  if (match !== undefined) return false
  if (none?.trim() === '*') return true
  throw preconditionRequired('If-None-Match: * to make the client, or If-Match with the ETag of what you have seen')
}

async function changedMeanwhile(store: AdminDependencies['store'], id: string): Promise<Problem> {
  const client = await clientOf(store, id)
  return stale(tagOf(client), shownClient(client))
}

function holdsAdminScopes(allow: Readonly<Record<string, readonly string[]>>): boolean {
  return Object.values(allow).some((scopes) => scopes.some((scope) => scope.startsWith('admin:')))
}

async function made(
  { issuer }: AdminDependencies,
  id: string,
  body: Body,
  why: ReturnType<typeof whyOf>,
): Promise<{ readonly tag: string; readonly shown: z.output<typeof MADE> }> {
  const allow = Object.entries(body.allow).map(([resource, scopes]) => `${resource}=${scopes.join(',')}`)
  const { type, name, redirect_uris: redirectUris, third_party: thirdParty } = body
  const input = { id, type, name, redirectUris, thirdParty, allow, stepUp: body.step_up }
  const added = await issuer.addClient(input, why)
  if (added.kind === 'exists') throw conflict('exists', 'there is a client with this id already')
  if (added.kind === 'invalid') throw invalid('body', added.problem)
  const { client, secret } = added
  return {
    tag: tagOf(client),
    shown: { ...shownClient(client), ...(secret === undefined ? {} : { client_secret: secret }) },
  }
}

/** What is there, with what was sent in its place; judged as a new one would be. */
async function changed({ issuer }: AdminDependencies, client: ClientRecord, body: Body): Promise<ClientRecord> {
  if (body.type !== client.type) throw new Problem(409, 'type_fixed', 'the type of a client stays; make another one')
  const allow = Object.entries(body.allow).map(([resource, scopes]) => `${resource}=${scopes.join(',')}`)
  const { type, name, redirect_uris: redirectUris, third_party: thirdParty } = body
  const stepUp = body.step_up
  const read = issuer.readClient({ id: client.id, type, name, redirectUris, thirdParty, allow, stepUp })
  if (typeof read === 'string') throw invalid('body', read)
  return {
    ...client,
    name,
    redirectUris: [...new Set(redirectUris)],
    postLogoutRedirectUris: [...new Set(redirectUris)],
    thirdParty,
    allow: read,
    stepUp: stepUp === 'reauthorize' ? stepUp : undefined,
  }
}
