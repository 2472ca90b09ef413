import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  grantableScopes,
  groupsNamedBy,
  groupsThatGive,
  matchResource,
  type ResourceIdentifier,
  type Scope,
} from '../../../src/core/resource.ts'
import { findResourceByMetadata, metadataPath, resourceMetadata } from '../../../src/server/resource-metadata.ts'
import { sampleResource, scopes } from './samples.ts'

const photos = sampleResource()
const at = (identifier: string) => sampleResource({ identifier: identifier as ResourceIdentifier })

describe('grants', () => {
  it('give what any group of the person is given, in the order of the resource', () => {
    assert.deepEqual(grantableScopes(photos, ['photo-editors', 'photos']), ['photos:read', 'photos:write'])
    assert.deepEqual(grantableScopes(photos, ['photos', 'x']), ['photos:read'])
  })
  it('no line, no token', () => {
    assert.deepEqual(grantableScopes(photos, []), [])
    assert.deepEqual(grantableScopes(photos, ['Photos']), [])
    assert.deepEqual(grantableScopes(sampleResource({ grants: [] }), ['photos']), [])
    assert.deepEqual(
      grantableScopes(sampleResource({ grants: [{ groups: [], scopes: scopes('photos:read') }] }), ['']),
      [],
    )
  })
  it('tell which groups would do', () => {
    assert.deepEqual(groupsThatGive(photos, 'photos:read' as Scope), ['photos', 'photo-editors'])
    assert.deepEqual(groupsThatGive(photos, 'photos:write' as Scope), ['photo-editors'])
    assert.deepEqual(groupsNamedBy(photos), ['photos', 'photo-editors'])
  })
})

describe('the resource that a client names', () => {
  const registered = [
    photos,
    at('https://files.example.com'),
    at('https://q.example.com?x=1'),
    at('https://s.example.com/a/'),
  ]
  const found: readonly [string, string][] = [
    ['https://gate.example.com/photos', 'https://gate.example.com/photos'],
    ['HTTPS://Gate.EXAMPLE.com/photos', 'https://gate.example.com/photos'],
    ['https://files.example.com', 'https://files.example.com'],
    ['https://files.example.com/', 'https://files.example.com'],
    ['https://q.example.com/?x=1', 'https://q.example.com?x=1'],
    ['https://s.example.com/a/', 'https://s.example.com/a/'],
  ]
  for (const [value, identifier] of found)
    it(`${value} is ${identifier}`, () => assert.equal(matchResource(registered, value)?.identifier, identifier))
  const unknown = [
    'https://gate.example.com/photos/',
    'https://gate.example.com/Photos',
    'https://gate.example.com/photos#',
    'https://gate.example.com/photos#x',
    'https://gate.example.com/photos?',
    'https://gate.example.com:443/photos',
    'https://gate.example.com/./photos',
    'https://gate.example.com/%70hotos',
    'http://gate.example.com/photos',
    'https://files.example.com//',
    'https://files.example.com/#',
    ' https://files.example.com',
    'files.example.com',
    '',
    '://',
    'photos',
    'https://',
    '__proto__',
  ]
  for (const value of unknown)
    it(`${JSON.stringify(value)} is none`, () => assert.equal(matchResource(registered, value), undefined))
})

describe('RFC 9728 §2: resource metadata', () => {
  it('is this document', () => {
    assert.deepEqual(resourceMetadata(photos), {
      resource: 'https://gate.example.com/photos',
      resource_name: 'Photo library',
      authorization_servers: ['https://gate.example.com'],
      scopes_supported: ['photos:read', 'photos:write'],
      bearer_methods_supported: ['header'],
      dpop_signing_alg_values_supported: ['ES256', 'ES384', 'ES512', 'PS256', 'RS256', 'EdDSA', 'Ed25519'],
    })
  })
  it('stands at the path of the resource, on its own host first', () => {
    const other = sampleResource({ metadataUrl: 'https://other.example/.well-known/oauth-protected-resource/photos' })
    const path = '/.well-known/oauth-protected-resource/photos'
    assert.equal(metadataPath(photos), path)
    assert.equal(findResourceByMetadata([photos, other], 'other.example', path), other)
    assert.equal(findResourceByMetadata([photos, other], 'gate.example.com', path), photos)
    assert.equal(findResourceByMetadata([photos], 'localhost', path), photos)
    assert.equal(findResourceByMetadata([photos], 'gate.example.com', `${path}/`), undefined)
    assert.equal(findResourceByMetadata([photos], 'gate.example.com', `${path}?x`), undefined)
  })
})
