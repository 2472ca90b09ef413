import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { describeChanges } from '../../../src/config/diff.ts'
import { bent, configOf, GOOD, withRouteLines, withTopLines } from './files.ts'

const RESOURCE = 'resource https://gate.example.com/photos'

function changes(before: string, after: string): readonly string[] {
  return describeChanges(configOf(before), configOf(after))
}

describe('What a reload changed', () => {
  it('nothing, when two files say the same in another form', () => {
    assert.deepEqual(changes(GOOD, `# a comment\n${GOOD.replace('path: /photos', "path: '/photos/'")}`), [])
  })

  it('routes that came and went, by id', () => {
    const more = `${GOOD}  - id: open\n    host: b.example.com\n    public: true\n    upstream: http://b\n`
    assert.deepEqual(changes(GOOD, more), ['route open: added at b.example.com/, public'])
    assert.deepEqual(changes(more, GOOD), ['route open: removed'])
  })

  it('which settings of a route differ, without the texts of headers', () => {
    const before = withRouteLines('set_headers: { X-Api-Key: old-secret }')
    const after = withRouteLines('set_headers: { X-Api-Key: new-secret }', 'max_body: 5MB').replace('2283', '2284')
    assert.deepEqual(changes(before, after), ['route photos: changed upstream, set_headers and max_body'])
  })

  it('rules and public paths of a route', () => {
    const after = withRouteLines('public: [/healthz]').replace('methods: [read]', 'methods: [read, write]')
    assert.deepEqual(changes(GOOD, after), ['route photos: changed rules and public'])
  })

  it('a rule that trades one method for another', () => {
    const before = bent('methods: [read]', 'methods: [POST]')
    assert.deepEqual(changes(before, bent('methods: [read]', 'methods: [PUT]')), ['route photos: changed rules'])
  })

  it('a route that became public', () => {
    const open = GOOD.replace('resource: https://gate.example.com/photos', 'public: true').replace(
      / {4}rules:[\s\S]*$/,
      '',
    )
    assert.deepEqual(changes(GOOD, open), [
      'route photos: changed access (for https://gate.example.com/photos before, public now)',
    ])
  })

  it('scopes and grants that were narrowed or widened', () => {
    const wide = bent('        scopes: [photos:read]\nroutes', '        scopes: [photos:read, photos:write]\nroutes')
    assert.deepEqual(changes(GOOD, wide), [`${RESOURCE}: grants widened by photos:write for photos`])
    assert.deepEqual(changes(wide, GOOD), [`${RESOURCE}: grants narrowed, without photos:write for photos`])
    assert.deepEqual(changes(GOOD, bent(', photos:write: Change photos', '')), [
      `${RESOURCE}: scopes narrowed, without photos:write`,
    ])
  })

  it('a name or a description is a change that gives and takes nothing', () => {
    assert.deepEqual(changes(GOOD, bent('name: Photo library', 'name: Photos')), [`${RESOURCE}: changed name`])
    assert.deepEqual(changes(GOOD, bent('See photos', 'Look at photos')), [`${RESOURCE}: changed scopes`])
  })

  it('issuers that are trusted or no longer are', () => {
    const trusting = withTopLines('trusted_issuers: [{ issuer: https://sso.example.com, algorithms: [RS256] }]')
    assert.deepEqual(changes(GOOD, trusting), ['trusted issuer https://sso.example.com: added'])
    assert.deepEqual(changes(trusting, trusting.replace('RS256', 'ES256')), [
      'trusted issuer https://sso.example.com: changed algorithms',
    ])
    assert.match(changes(trusting, GOOD)[0] ?? '', /removed; its tokens are refused/)
  })

  it('settings at the top and of the issuer, before and now', () => {
    const after = withTopLines('listen: 0.0.0.0:80', 'issuer: { access_token_ttl: 10m }', 'access_log: off')
    assert.deepEqual(changes(GOOD, after), [
      'listen: localhost:8080 before, 0.0.0.0:80 now',
      'access_log: all before, off now',
      'issuer.access_token_ttl: 300s before, 600s now',
    ])
  })
})
