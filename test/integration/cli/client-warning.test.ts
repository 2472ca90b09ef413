import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { commandLine } from '../../support/programs/command-line.ts'

const ROUTES = `
public_url: http://localhost:8080
resources:
  - id: http://localhost:8080/photos
    name: Photo library
    scopes: { "photos:read": See photos, "photos:write": Change photos }
    grants: [{ groups: [photos], scopes: ["photos:read", "photos:write"] }]
routes:
  - id: photos
    path: /photos
    resource: http://localhost:8080/photos
    upstream: http://127.0.0.1:9081
    rules:
      - { methods: [read], scopes: ["photos:read"] }
      - { methods: [DELETE], scopes: ["photos:write"], max_age: 10m }
`

describe('audgate client add', () => {
  it('warns of a service client that is allowed a scope which a rule takes from people only, and adds it', async () => {
    const shell = commandLine(ROUTES)
    try {
      const add = (id: string, scopes: string) =>
        shell.run([
          'client',
          'add',
          id,
          '--type',
          'service',
          '--json',
          '--allow',
          `http://localhost:8080/photos=${scopes}`,
        ])
      const warned = await add('robot', 'photos:read,photos:write')
      assert.deepEqual([warned.code, JSON.parse(warned.stdout).id], [0, 'robot'])
      assert.match(
        warned.stderr,
        /^warning: rules with `acr` or `max_age` take photos:write of \S+photos and refuse robot/,
      )
      const quiet = await add('reader', 'photos:read')
      assert.deepEqual([quiet.code, quiet.stderr], [0, ''])
    } finally {
      shell.close()
    }
  })
})
