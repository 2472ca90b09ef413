import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { addPeople, FETCH, Jar, PAGE } from '../../../support/browser-gateway.ts'
import { startGateway, type TestGateway } from '../../../support/gateway-under-test.ts'
import { freePorts } from '../../../support/programs/free-ports.ts'
import { startUpstream, type TestUpstream } from '../../../support/upstreams.ts'

describe('two resources on one host, where the operator allows it', () => {
  let upstream: TestUpstream
  let gateway: TestGateway
  let at: string

  before(async () => {
    upstream = await startUpstream()
    const [port = 0] = await freePorts(1)
    const url = `http://localhost:${port}`
    at = `http://apps.localhost:${port}`
    const resource = (id: string) =>
      `{ id: "${url}/${id}", name: ${id}, scopes: { "${id}:read": See }, grants: [{ groups: [${id}], scopes: ["${id}:read"] }] }`
    const route = (id: string) =>
      `{ id: ${id}, host: apps.localhost, path: /${id}, resource: "${url}/${id}", upstream: "${upstream.url}", credentials: [session], rules: [{ methods: [any], scopes: ["${id}:read"] }] }`
    gateway = await startGateway({
      yaml: `public_url: ${url}
listen: 127.0.0.1:${port}
issuer: {}
sessions: { shared_origin: true }
resources: [${resource('photos')}, ${resource('files')}]
routes: [${route('photos')}, ${route('files')}]
`,
    })
    if (gateway.server.store === undefined) return assert.fail('no issuer')
    await addPeople(gateway.server.store)
  })
  after(async () => {
    await gateway.close()
    await upstream.close()
  })

  it('a page load of the other one gets its token silently, however young the session is; a script is told where', async () => {
    const jar = new Jar()
    await jar.signIn(`${at}/photos/x`)
    const script = await jar.send(`${at}/files/y`, { headers: FETCH })
    assert.deepEqual([script.status, JSON.parse(script.text).reason], [401, 'no_session_for_resource'])
    assert.equal(JSON.parse(script.text).sign_in, `${at}/.audgate/sign-in?return_to=%2Ffiles`)
    assert.equal((await jar.send(`${at}/files/y`, { headers: PAGE })).status, 302)
    const end = await jar.open(`${at}/files/y`)
    assert.deepEqual([end.status, end.url], [200, `${at}/files/y`])
    for (const path of ['/photos/x', '/files/y'])
      assert.equal((await jar.send(at + path, { headers: FETCH })).status, 200, path)
    const records = (await gateway.server.store?.browserSessions({})) ?? []
    assert.deepEqual(
      records.map(({ resources }) => resources.length),
      [2],
    )
  })
})
