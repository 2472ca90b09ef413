import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Validator } from '@seriousme/openapi-schema-validator'
import { z } from 'zod'
import { type AdminGateway, startAdminGateway } from '../../support/admin-gateway.ts'
import { type Called, within } from '../../support/issuer/served-issuer.ts'

const API = '/admin/api/v1'

/** One call of an operation. */
type Step = readonly [method: string, described: string, called: string, status: number, body?: object]

interface Operation {
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: object }>> }>
  >
}

describe('The description of the operator’s API', () => {
  const under: { gate: AdminGateway; token: string; paths: Record<string, Record<string, Operation>> } = {
    gate: undefined as never,
    token: '',
    paths: {},
  }
  const call = (path: string, method = 'GET', body?: object, headers: Record<string, string> = {}) =>
    under.gate.call(under.token, path, method, body, headers)
  before(async () => {
    under.gate = await startAdminGateway()
    under.token = await under.gate.signIn('alice')
  })
  after(() => under.gate.close())

  it('is OpenAPI 3.1 to a validator that is not ours', async () => {
    const { body } = await call('/openapi.json')
    const validator = new Validator()
    assert.deepEqual(await validator.validate({ ...body }), { valid: true })
    assert.equal(validator.version, '3.1')
    under.paths = body.paths as typeof under.paths
  })
  it('has every operation, and each answers, well and ill, by a body that its own schema accepts', async () => {
    const steps = await stepsOf(under.gate, call)
    const described = Object.entries(under.paths).flatMap(([path, of]) =>
      Object.keys(of).map((method) => `${method.toUpperCase()} ${path.slice(API.length)}`),
    )
    const streamed = 'GET /decisions/stream'
    assert.deepEqual(
      [...steps.map(([method, path]) => `${method} ${path}`), streamed].toSorted(),
      described.toSorted(),
      'what is called, and what is described',
    )
    for (const [method, path, called, status, body] of steps) {
      const tag = method === 'GET' ? undefined : await tagOf(call, called)
      const headers = method === 'PUT' ? { 'if-none-match': '*' } : tag === undefined ? {} : { 'if-match': tag }
      const answer = await call(called, method, body, headers as Record<string, string>)
      assert.equal(answer.status, status, `${method} ${called}: ${JSON.stringify(answer.body)}`)
      fits(operation(method, path), answer)
      const refused = await call(`${called}?colour=red`, method, method === 'GET' ? undefined : { colour: 'red' })
      if (refused.status >= 400) fits(operation(method, path), refused)
      const stranger = await under.gate.call(undefined, called, method)
      assert.equal(stranger.status, 401, called)
    }
  })

  function operation(method: string, path: string): Operation {
    const found = under.paths[`${API}${path}`]?.[method.toLowerCase()]
    assert.ok(found, `${method} ${path}`)
    return found
  }
})

function fits(operation: Operation, { status, body, headers }: Called): void {
  const described = operation.responses[status] ?? operation.responses[`${Math.floor(status / 100)}XX`]
  assert.ok(described, `status ${status} is described`)
  const [type = ''] = (headers.get('content-type') ?? '').split(';')
  assert.equal(described.content === undefined, status === 204)
  if (described.content === undefined) return
  const schema = described.content[type]?.schema
  assert.ok(schema, `${type} is described`)
  const read = z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]).safeParse(body)
  assert.ok(read.success, `${JSON.stringify(read.error?.issues)} in ${JSON.stringify(body)}`)
}

async function tagOf(call: (path: string) => Promise<Called>, path: string): Promise<string | undefined> {
  if (!/^\/(?:people|clients)\/[^/]+$/.test(path)) return undefined
  return (await call(path)).headers.get('etag') ?? undefined
}

type Call = (path: string, method?: string, body?: object, headers?: Record<string, string>) => Promise<Called>

/** Prepares what the operations are about. */
async function stepsOf(gate: AdminGateway, call: Call): Promise<readonly Step[]> {
  await gate.addPerson('pia', ['photos'])
  const token = await gate.signIn('pia', 'photos:read', `${gate.url}/photos`)
  const sub = 'usr_pia'
  const facts = { publicKey: 'k', counter: 0, backupEligible: false, backedUp: false, transports: [], createdAt: 5 }
  await gate.store.addPasskey({ ...facts, id: 'pk', sub, credentialId: 'c', name: 'Phone', lastUsedAt: 6 }, 20)
  const link = (await call('/people/pia/links', 'POST', { kind: 'recover' })).body.id
  const [session] = await gate.store.sessions(sub)
  const [authorization] = await gate.store.authorizations({ sub })
  const photos = `${gate.url}/photos`
  const refused = await fetch(`${photos}/a`, { method: 'PUT', headers: { authorization: `Bearer ${token}` } })
  const decision = `/decisions/${refused.headers.get('x-request-id')}`
  await within(3_000, async () => ((await call(decision)).status === 200 ? undefined : 'not kept yet'))
  const web = { type: 'web', name: 'W', redirect_uris: ['https://w.example.com/cb'] }
  await call('/clients/w', 'PUT', web, { 'if-none-match': '*' })
  await call('/clients/w/secrets', 'POST')
  const [secret] = (await call('/clients/w')).body.secrets as { id: string }[]
  const request = { method: 'GET', url: `${photos}/a` }
  const reads = ['/overview', '/decisions', '/routes', '/resources', '/access', '/people', '/groups', '/clients']
  const lists = ['/authorizations', '/revocations', '/audit', '/system', '/keys', '/openapi.json']
  return [
    ...[...reads, ...lists].map((path) => ['GET', path, path, 200] as const),
    ['GET', '/decisions/{request_id}', decision, 200],
    ['GET', '/routes/{id}', '/routes/photos', 200],
    ['GET', '/people/{sub}', '/people/pia', 200],
    ['GET', '/people/{sub}/factors', '/people/pia/factors', 200],
    ['GET', '/people/{sub}/sessions', '/people/pia/sessions', 200],
    ['GET', '/clients/{id}', '/clients/w', 200],
    ['POST', '/access/try', '/access/try', 200, { person: 'pia', client: 'cli', resource: photos, request }],
    ['POST', '/tokens/explain', '/tokens/explain', 200, { token, request }],
    ['POST', '/config/check', '/config/check', 200, { text: `public_url: ${gate.url}\n` }],
    ['POST', '/people', '/people', 201, { username: 'quin', invite: true }],
    ['PATCH', '/people/{sub}', '/people/pia', 200, { name: 'Pia' }],
    ['POST', '/people/{sub}/links', '/people/pia/links', 201, { kind: 'recover', ttl: 600, reset: ['passkeys'] }],
    ['DELETE', '/people/{sub}/links/{id}', `/people/pia/links/${link}`, 204],
    ['DELETE', '/authorizations/{gid}', `/authorizations/${authorization?.gid}`, 200],
    ['DELETE', '/people/{sub}/sessions/{id}', `/people/pia/sessions/${session?.id}`, 204],
    ['DELETE', '/people/{sub}/factors/{id}', '/people/pia/factors/pk', 204],
    ['POST', '/people/{sub}/sign-out', '/people/pia/sign-out', 200],
    ['POST', '/people/{sub}/disable', '/people/pia/disable', 200],
    ['POST', '/people/{sub}/enable', '/people/pia/enable', 200],
    ['POST', '/tokens/revoke', '/tokens/revoke', 200, { jti: 'some-token', expires_at: '2030-01-01T00:00:00Z' }],
    ['PUT', '/clients/{id}', '/clients/v', 201, { ...web, step_up: 'reauthorize' }],
    ['DELETE', '/clients/{id}/secrets/{sid}', `/clients/w/secrets/${secret?.id}`, 204],
    ['POST', '/clients/{id}/secrets', '/clients/w/secrets', 201],
    ['POST', '/clients/{id}/end', '/clients/w/end', 200],
    ['POST', '/clients/{id}/restore', '/clients/w/restore', 200],
    ['POST', '/clients/{id}/revoke', '/clients/w/revoke', 200],
    ['DELETE', '/clients/{id}', '/clients/w', 204],
    ['POST', '/keys/rotate', '/keys/rotate', 201],
  ]
}
