import assert from 'node:assert/strict'
import { makeAppPassword } from '../../src/issuer/people/app-passwords.ts'
import { addPeople } from './browser-gateway.ts'
import { startGateway, type TestGateway } from './gateway-under-test.ts'
import { freePorts } from './programs/free-ports.ts'
import { type RealServer, startApacheDav } from './upstreams-real.ts'

const TERMS = { max: 31_536_000, unused: 15_552_000 }

export interface DavGateway {
  readonly apache: RealServer
  readonly gateway: TestGateway
  readonly port: number
  /** Makes one of alice's. */
  appPassword(scopes?: readonly string[]): Promise<string>
  close(): Promise<void>
}

/** Apache mod_dav behind `/files` of a gateway that takes tokens and app passwords there. */
export async function startDavGateway(): Promise<DavGateway> {
  const apache = await startApacheDav('/files')
  const [port = 0] = await freePorts(1)
  const gateway = await startGateway({
    yaml: `
public_url: http://localhost:${port}
listen: 127.0.0.1:${port}
resources:
  - { id: "http://localhost:${port}/files", name: File store, scopes: { "files:read": See, "files:write": Change }, grants: [{ groups: [files], scopes: ["files:read", "files:write"] }] }
routes:
  - id: files
    path: /files
    resource: http://localhost:${port}/files
    upstream: ${apache.url}
    credentials: [token, app_password]
    rules:
      - { methods: [read], scopes: ["files:read"] }
      - { methods: [write], scopes: ["files:write"] }
`,
  })
  const { config, store } = gateway.server
  if (store !== undefined) await addPeople(store)
  return {
    apache,
    gateway,
    port,
    appPassword: async (scopes = ['files:read', 'files:write']) => {
      const [resource] = config.resources
      const user = await store?.userBySub('u_alice')
      if (resource === undefined || user === undefined || store === undefined) return assert.fail('no resource or user')
      const asked = { user, resource, scopes, name: 'drive', life: undefined }
      const made = await makeAppPassword(store, asked, TERMS, Math.floor(Date.now() / 1000))
      return made.kind === 'made' ? made.password : assert.fail(made.problem)
    },
    close: async () => {
      await gateway.close()
      await apache.close()
    },
  }
}
