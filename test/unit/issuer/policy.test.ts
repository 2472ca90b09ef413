import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Resource, ResourceIdentifier, Scope } from '../../../src/core/resource.ts'
import {
  grantableTo,
  isDenied,
  judgeService,
  judgeToken,
  offer,
  type ResourceScopes,
  readResourceRequest,
} from '../../../src/issuer/tokens/policy.ts'

function makeResource(id: string, grants: Readonly<Record<string, readonly string[]>>): Resource {
  const name = id.split('/').at(-1) ?? id
  const scopes = ['read', 'write', 'admin'].map((verb) => `${name}:${verb}` as Scope)
  return {
    identifier: id as ResourceIdentifier,
    name,
    scopes: new Map(scopes.map((scope) => [scope, scope])),
    grants: Object.entries(grants).map(([group, verbs]) => ({
      groups: [group],
      scopes: verbs.map((verb) => `${name}:${verb}` as Scope),
    })),
    issuers: [],
    acceptAudiences: [],
    claims: [],
    sessionScopes: undefined,
    metadataUrl: '',
  }
}

const photos = makeResource('https://gate.example.com/photos', { viewers: ['read'], editors: ['read', 'write'] })
const files = makeResource('https://gate.example.com/files', { staff: ['read', 'write'] })
const resources = [photos, files]

function person(...groups: string[]) {
  return { kind: 'person', groups } as const
}

function ask(named: readonly string[], scope: string, openId = false) {
  return readResourceRequest(resources, named, scope.split(' ').filter(Boolean), openId)
}

function shares(...entries: [Resource, string][]): readonly ResourceScopes[] {
  return entries.map(([resource, scope]) => ({ resource, scopes: scope.split(' ') as Scope[] }))
}

describe('what is asked for', () => {
  it('without a resource is what the scopes belong to, in their order', () => {
    assert.deepEqual(ask([], 'files:read photos:read'), {
      kind: 'asked',
      shares: shares([files, 'files:read'], [photos, 'photos:read']),
    })
  })

  it('passes over scopes of resources that are not named', () => {
    assert.deepEqual(ask([photos.identifier], 'files:read photos:read'), {
      kind: 'asked',
      shares: shares([photos, 'photos:read']),
    })
  })

  it('may be OpenID scopes alone', () => {
    assert.deepEqual(ask([], 'openid', true), { kind: 'asked', shares: [] })
  })

  it('is once what is named twice', () => {
    assert.deepEqual(ask([photos.identifier, photos.identifier], 'photos:read'), {
      kind: 'asked',
      shares: shares([photos, 'photos:read']),
    })
  })

  it('names the parameter and what exists when it can not be', () => {
    for (const [judged, error, words] of [
      [
        ask(['https://x.example.com'], 'photos:read'),
        'invalid_target',
        /^resource: https:\/\/x\.example\.com is not one of/,
      ],
      [ask([photos.identifier], 'files:read'), 'invalid_scope', /^scope: .*photos:read photos:write photos:admin/],
      [ask([], ''), 'invalid_scope', /^scope: none was asked for; there are: photos:read/],
      [ask([], 'nothing'), 'invalid_scope', /^scope: none of these exists; there are: photos:read/],
    ] as const) {
      assert.equal(judged.kind, 'refused')
      if (judged.kind !== 'refused') continue
      assert.equal(judged.error, error)
      assert.match(judged.description, words)
    }
  })

  it('is fit for an error description, whatever was sent', () => {
    const judged = ask(['https://x/"\\\n\u2028é'], 'photos:read')
    assert.ok(judged.kind === 'refused')
    assert.match(judged.description, /^[\x20-\x21\x23-\x5b\x5d-\x7e]*$/)
  })
})

describe('what a holder may have', () => {
  it('of a person is what the grants give to the groups', () => {
    assert.deepEqual(grantableTo(photos, person('viewers')), ['photos:read'])
    assert.deepEqual(grantableTo(photos, person('viewers', 'editors')), ['photos:read', 'photos:write'])
    assert.deepEqual(grantableTo(photos, person('staff')), [])
  })

  it('of a service is what the operator allowed, whatever the grants say', () => {
    const allow = [{ resource: photos.identifier, scopes: ['photos:admin', 'photos:gone'] }]
    assert.deepEqual(grantableTo(photos, { kind: 'service', allow }), ['photos:admin'])
    assert.deepEqual(grantableTo(files, { kind: 'service', allow }), [])
  })

  it('is offered in part, and says which groups would do for the rest', () => {
    const [offered] = offer(shares([photos, 'photos:read photos:write photos:admin']), person('viewers'))
    assert.deepEqual(offered?.scopes, ['photos:read'])
    assert.deepEqual(offered?.withheld, [
      { scope: 'photos:write', groups: ['editors'] },
      { scope: 'photos:admin', groups: [] },
    ])
  })

  it('is denied when nothing of anything can be had; asking for nothing is no denial', () => {
    const both = shares([photos, 'photos:read'], [files, 'files:read'])
    assert.equal(isDenied(offer(both, person())), true)
    assert.equal(isDenied(offer(both, person('staff'))), false)
    assert.equal(isDenied([]), false)
  })
})

describe('a service token', () => {
  const holder = { kind: 'service', allow: [{ resource: photos.identifier, scopes: ['photos:read'] }] } as const

  it('is for exactly one resource', () => {
    for (const named of [[], [photos.identifier, files.identifier]]) {
      const judged = judgeService(resources, named, ['photos:read', 'files:read'], holder)
      assert.ok(judged.kind === 'refused' && judged.error === 'invalid_target')
    }
  })

  it('carries the allowed part of what was asked', () => {
    const judged = judgeService(resources, [], ['photos:read', 'photos:write'], holder)
    assert.deepEqual(judged, { kind: 'token', resource: photos, scopes: ['photos:read'] })
  })
})

describe('a token', () => {
  const groups = fc.uniqueArray(fc.constantFrom('viewers', 'editors', 'staff', 'others'))
  const scopes = fc.uniqueArray(
    fc.constantFrom('photos:read', 'photos:write', 'photos:admin', 'files:read', 'files:write', 'openid'),
  )
  const named = fc.option(fc.constantFrom(photos.identifier, files.identifier, 'https://x.example.com'), {
    nil: undefined,
  })

  it('never carries more than was granted, more than the groups give, or a scope of another resource', () => {
    fc.assert(
      fc.property(
        groups,
        groups,
        scopes,
        fc.option(scopes, { nil: undefined }),
        named,
        (before, now, asked, narrow, name) => {
          const read = readResourceRequest(resources, [], asked, asked.includes('openid'))
          if (read.kind === 'refused') return
          const granted = offer(read.shares, person(...before))
          const request = { granted, openId: asked.includes('openid'), named: name, scope: narrow }
          const judged = judgeToken(resources, request, person(...now))
          if (judged.kind !== 'token') return
          const was = granted.find(({ resource }) => resource === judged.resource)?.scopes ?? []
          assert.ok(judged.scopes.length > 0)
          for (const scope of judged.scopes) {
            assert.ok(was.includes(scope), 'granted')
            assert.ok(grantableTo(judged.resource, person(...now)).includes(scope), 'given by a group')
            assert.ok(judged.resource.scopes.has(scope), 'of the resource')
            assert.ok(narrow === undefined || narrow.some((each) => each === scope), 'within what the request asks')
          }
        },
      ),
    )
  })

  it('is refused with invalid_grant only when nothing at all is left', () => {
    fc.assert(
      fc.property(groups, scopes, named, (now, asked, name) => {
        const granted = shares([photos, 'photos:read photos:write'], [files, 'files:read'])
        const request = { granted, openId: asked.includes('openid'), named: name, scope: undefined }
        const judged = judgeToken(resources, request, person(...now))
        if (judged.kind !== 'refused' || judged.error !== 'invalid_grant') return
        assert.ok(isDenied(offer(granted, person(...now))))
        assert.equal(request.openId, false)
      }),
    )
  })
})
