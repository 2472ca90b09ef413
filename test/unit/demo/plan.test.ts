import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { planDemo } from '../../../src/demo/plan.ts'
import { shippedConfig, shippedPlan } from './demo-files.ts'

describe('what --demo starts', () => {
  it('binds the sample servers exactly where the routes of the file expect them', () => {
    const { photos, files, site, origin, folder } = shippedPlan('/srv/gate')
    assert.deepEqual(photos, {
      host: '127.0.0.1',
      port: 9081,
      url: 'http://localhost:8080/photos',
      resource: 'http://localhost:8080/photos',
    })
    assert.deepEqual([files.port, files.url], [9082, 'http://localhost:8080/files'])
    assert.deepEqual(site, { host: '127.0.0.1', port: 9083 })
    assert.deepEqual([origin, folder], ['http://localhost:8080', '/srv/gate/data'])
  })

  it('follows another port through the whole file', () => {
    const { origin, photos } = shippedPlan('/srv/gate', ':8080', ':8181')
    assert.deepEqual([origin, photos.url], ['http://localhost:8181', 'http://localhost:8181/photos'])
  })

  for (const host of ['127.0.0.1', '127.1.2.3', '[::1]']) {
    it(`listens on ${host}`, () => {
      const plan = planDemo(shippedConfig('/srv/gate', 'listen: localhost:8080', `listen: "${host}:8080"`))
      assert.equal(typeof plan, 'object', String(plan))
    })
  }
})

describe('what --demo refuses', () => {
  const cases: readonly (readonly [rule: string, from: string, to: string, says: RegExp])[] = [
    ['a public listen address', 'listen: localhost:', 'listen: 0.0.0.0:', /refuses to listen on 0\.0\.0\.0/],
    ['a listen address of every interface', 'listen: localhost:', 'listen: :', /refuses to listen on every address/],
    ['a listen address of the network', 'listen: localhost:', 'listen: 10.0.0.5:', /`listen: localhost:8080`/],
    [
      'a name that only begins like localhost',
      'listen: localhost:',
      'listen: localhost.example.com:',
      /refuses to listen/,
    ],
    ['a public public_url', 'http://localhost:8080', 'https://gate.example.com:8080', /refuses the public address/],
    [
      'a file without the embedded issuer',
      'listen: localhost:8080',
      'issuer: { upstream: "http://127.0.0.1:7000" }',
      /embedded issuer/,
    ],
    [
      'a port in public_url that nobody listens on',
      'listen: localhost:8080',
      'listen: localhost:8081',
      /port 8080, listen has 8081/,
    ],
    ['a file without the route that it tells of', '- id: demo', '- id: start', /no route demo/],
    [
      'an upstream that is elsewhere',
      'http://127.0.0.1:9082',
      'http://10.0.0.7:9082',
      /upstream of route files must be/,
    ],
    [
      'an upstream that is not plain http',
      'http://127.0.0.1:9081',
      'https://127.0.0.1:9081',
      /upstream of route photos/,
    ],
    ['an upstream with a path', 'http://127.0.0.1:9081', 'http://127.0.0.1:9081/x', /upstream of route photos/],
  ]
  for (const [rule, from, to, says] of cases) {
    it(`refuses ${rule} with one line that says what to do`, () => {
      const plan = planDemo(shippedConfig('/srv/gate', from, to))
      assert.equal(typeof plan, 'string')
      assert.match(String(plan), says)
      assert.match(String(plan), /^--demo: [^\n]+$/)
    })
  }
})
