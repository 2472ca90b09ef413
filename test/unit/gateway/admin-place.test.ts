import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { decodeConfig } from '../../../src/config/load.ts'
import { routeRequest } from '../../../src/gateway/judge.ts'
import { createPolicy, type Policy } from '../../../src/gateway/policy.ts'

function policyOf(settings: string): Policy {
  const text = `public_url: https://gate.example.com\n${settings}routes: []\nresources: []\n`
  const decoded = decodeConfig(text, 'routes.yaml', { AUDGATE_FEED_TOKEN: 'f'.repeat(43) })
  assert.ok('config' in decoded, JSON.stringify(decoded))
  return createPolicy(decoded.config)
}

function placeOf(policy: Policy, target: string, peerAddress: string): string {
  const rawHeaders = ['Host', 'gate.example.com']
  const routing = routeRequest(policy, {
    method: 'GET',
    target,
    rawHeaders,
    httpVersion: '1.1',
    peerAddress,
    tls: false,
  })
  return routing.kind === 'deny' ? routing.denial.reason : routing.kind
}

describe('where the operator’s page may be opened from', () => {
  const FROM = 'admin: { from: [10.0.0.0/8] }\n'
  for (const [who, issuer] of [
    ['a gateway with its own issuer', ''],
    ['a gateway on its own', 'issuer: { upstream: "http://127.0.0.1:9" }\n'],
  ] as const)
    it(`is kept by ${who}: elsewhere there is nothing`, () => {
      const policy = policyOf(issuer + FROM)
      for (const target of ['/admin', '/admin/', '/admin/people', '/admin/api/v1/people']) {
        assert.equal(placeOf(policy, target, '192.0.2.1'), 'no_route', target)
        assert.notEqual(placeOf(policy, target, '10.1.2.3'), 'no_route', target)
      }
      assert.equal(placeOf(policy, '/account', '192.0.2.1'), 'reserved')
    })

  it('is everywhere where the file does not say', () => {
    assert.equal(placeOf(policyOf('issuer: { upstream: "http://127.0.0.1:9" }\n'), '/admin', '192.0.2.1'), 'reserved')
  })
})
