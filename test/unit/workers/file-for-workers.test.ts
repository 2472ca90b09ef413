import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { decodeConfig } from '../../../src/config/load.ts'
import { forWorkers } from '../../../src/workers/primary.ts'

describe('the file that workers are told', () => {
  it('holds no secret that is the issuer’s or the environment’s, and a share of the connections', () => {
    const text = `public_url: http://localhost:8080
max_connections: 1001
workers: 4
mail: { smtp: "smtps://user:hunter2-mail@mail.example.com:465", from: gate@example.com }
issuer:
  providers: [{ issuer: "https://sso.example.com", client_id: c, client_secret: hunter2-provider, allow: { anyone: true } }]
routes: []
`
    const secrets = ['AUDGATE_SECRET', 'AUDGATE_FEED_TOKEN', 'AUDGATE_REGISTRATION_TOKEN', 'AUDGATE_STORE_PASSWORD']
    const read = decodeConfig(text, 'routes.yaml', Object.fromEntries(secrets.map((name) => [name, `hunter2-${name}`])))
    assert.deepEqual(read.ok ? [] : read.problems, [])
    assert.ok(read.ok && JSON.stringify(read.config).includes('hunter2'))
    const { config } = forWorkers({ config: read.config, tls: undefined }, 4)
    assert.doesNotMatch(JSON.stringify(config), /hunter2/)
    assert.equal(config.maxConnections, 251)
    assert.equal(config.issuer.kind, 'embedded')
  })
})
