import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { loadConfig } from '../../../src/config/load.ts'
import { instanceFacts } from '../../../src/server/heartbeat.ts'

const folders: string[] = []
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true })
})

const ENV = { AUDGATE_SECRET: 'a secret of several instances', PHOTOS: 'photos.example.com' }

/** The digest of a file as one machine has it. The route shares the origin of `public_url`, which is warned of. */
function digestOf(
  more = '',
  { env = {}, name = 'routes.yaml' }: { env?: Record<string, string>; name?: string } = {},
): string {
  const folder = mkdtempSync(join(tmpdir(), 'audgate-digest-'))
  folders.push(folder)
  writeFileSync(join(folder, 'secret'), 'of this file')
  const text = `public_url: http://localhost:8080
trusted_issuers: [{ issuer: "https://sso.example.com", algorithms: [ES256], jwks_file: keys.json }]
resources: [{ id: "http://localhost:8080/photos", name: Photos, scopes: { "photos:read": See } }]
${more}
routes:
  - id: photos
    path: /photos
    resource: http://localhost:8080/photos
    upstream: "http://\${PHOTOS}:2283"
    set_headers: { X-Key: "\${file:secret}" }
    rules: [{ methods: [read], scopes: [photos:read] }]
`
  const file = join(folder, name)
  writeFileSync(file, text)
  writeFileSync(join(folder, 'keys.json'), '{"keys":[]}')
  const read = loadConfig(file, { ...ENV, ...env })
  assert.deepEqual(read.ok ? [] : read.problems, [])
  assert.ok(read.ok && read.config.warnings.length > 0)
  return instanceFacts(read.config).digest
}

describe('the digest of the file in force', () => {
  it('is one for files that say the same, wherever each lies and whatever is each machine’s own', () => {
    const first = digestOf()
    assert.match(first, /^[0-9a-f]{12}$/)
    assert.equal(digestOf(), first, 'another folder')
    assert.equal(digestOf('', { name: 'audgate.yaml' }), first, 'another name')
    assert.equal(digestOf('# a line more, so that all others stand elsewhere\n'), first, 'a comment')
    for (const own of ['instance: b', 'listen: 0.0.0.0:9000', 'management: localhost:9090', 'store: sqlite:./b.db'])
      assert.equal(digestOf(own), first, own)
    const workers = availableParallelism() === 1 ? 2 : 'auto'
    assert.equal(digestOf(`workers: ${workers}`), first, 'as many workers as each machine has cores')
  })

  it('is another one where anything else differs, values from outside as well', () => {
    const first = digestOf()
    for (const more of ['stale_after: 10s', 'access_log: off', 'issuer: { access_token_ttl: 10m }'])
      assert.notEqual(digestOf(more), first, more)
    assert.notEqual(digestOf('', { env: { PHOTOS: 'others.example.com' } }), first)
  })
})
