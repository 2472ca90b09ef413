import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ProviderGroups } from '../../../src/core/identity-provider.ts'
import { type GroupsWord, readGroups } from '../../../src/issuer/federation/provider/provider-groups.ts'

const RULES: ProviderGroups = {
  claims: ['groups'],
  from: 'both',
  form: 'list',
  take: 'all',
  map: new Map(),
  prefix: '',
  reserved: [],
}

function read(change: Partial<ProviderGroups>, value: unknown, more: Record<string, unknown> = {}): GroupsWord {
  const rules = { ...RULES, ...change }
  return readGroups(rules, { idToken: { [rules.claims[0] ?? '']: value, ...more }, userinfo: undefined }, undefined)
}

function namesOf(word: GroupsWord): readonly string[] | string {
  return word.kind === 'said' ? word.groups : word.kind
}

describe('30 groups are read, mapped or refused as said', () => {
  it('Zitadel’s object, and the list of objects of its documentation', () => {
    const claims = ['urn:zitadel:iam:org:project:roles']
    const value = { photos: { '1': 'home.example' }, files: { '1': 'home.example' } }
    assert.deepEqual(namesOf(read({ claims, form: 'keys' }, value)), ['photos', 'files'])
    assert.deepEqual(namesOf(read({ claims, form: 'keys' }, [{ photos: {} }, { files: {} }])), ['photos', 'files'])
    assert.equal(namesOf(read({ claims, form: 'keys' }, ['photos'])), 'unreadable')
  })
  it('Keycloak’s full path, as sent and mapped', () => {
    assert.deepEqual(namesOf(read({}, ['/a/b'])), ['/a/b'])
    const map = new Map([['/a/b', 'photos']])
    assert.deepEqual(namesOf(read({ take: 'mapped', map }, ['/a/b', '/c'])), ['photos'])
  })
  it('Kanidm’s uuid and spn: those that are taken', () => {
    const sent = ['00000000-0000-4000-8000-000000000001', 'photos@idm.example.com']
    const map = new Map([['photos@idm.example.com', 'photos']])
    assert.deepEqual(namesOf(read({ take: 'mapped', map }, sent)), ['photos'])
  })
  it('a single string is a list of one; `words` parts it', () => {
    assert.deepEqual(namesOf(read({}, 'photos')), ['photos'])
    assert.deepEqual(namesOf(read({ form: 'words' }, 'photos files')), ['photos', 'files'])
  })
  it('1,001 names, a name of 257 characters, 201 that are taken, and names that no account can have', () => {
    assert.equal(
      namesOf(
        read(
          { take: 'mapped' },
          Array.from({ length: 1_001 }, (_, n) => `g${n}`),
        ),
      ),
      'overage',
    )
    assert.deepEqual(
      namesOf(
        read(
          { take: 'mapped' },
          Array.from({ length: 1_000 }, (_, n) => `g${n}`),
        ),
      ),
      [],
    )
    assert.equal(namesOf(read({ take: 'mapped' }, ['x'.repeat(257)])), 'overage')
    assert.equal(
      namesOf(
        read(
          {},
          Array.from({ length: 201 }, (_, n) => `g${n}`),
        ),
      ),
      'overage',
    )
    assert.equal(namesOf(read({}, ['a,b'])), 'overage')
    assert.equal(namesOf(read({}, ['a\0b'])), 'overage')
  })
  it('a claim in a claim, and one whose own name has dots', () => {
    assert.deepEqual(
      namesOf(read({ claims: ['realm_access.roles'] }, undefined, { realm_access: { roles: ['photos'] } })),
      ['photos'],
    )
    const claims = ['https://example.com/groups']
    assert.deepEqual(namesOf(read({ claims }, ['photos'])), ['photos'])
  })
  it('map, then take, then prefix', () => {
    const map = new Map([['g1', 'photos']])
    assert.deepEqual(namesOf(read({ take: ['g1', 'files'], map, prefix: 'entra:' }, ['g1', 'files', 'other'])), [
      'entra:photos',
      'entra:files',
    ])
  })
  it('31 Entra’s overage refuses', () => {
    const claims = ['roles']
    assert.equal(namesOf(read({ claims }, ['photos'], { _claim_names: { groups: 'src1' } })), 'overage')
    assert.equal(namesOf(read({ claims }, ['photos'], { hasgroups: true })), 'overage')
  })
  it('words part at any space, and are not looked for in a list', () => {
    assert.deepEqual(namesOf(read({ form: 'words' }, '\t photos\n\u00a0files  ')), ['photos', 'files'])
    assert.deepEqual(namesOf(read({ form: 'words' }, '')), [])
    assert.deepEqual(namesOf(read({ form: 'words' }, ['photos files'])), ['photos files'])
    assert.deepEqual(namesOf(read({}, 'photos files')), ['photos files'])
  })
  it('what is no name, or no list of names, is no empty list', () => {
    for (const value of [5, true, ['photos', 5], [['photos']], [null], { photos: {} }]) {
      assert.equal(namesOf(read({}, value)), 'unreadable', JSON.stringify(value))
    }
    for (const value of ['photos', 5, [{ photos: {} }, 'files']]) {
      assert.equal(namesOf(read({ form: 'keys' }, value)), 'unreadable', JSON.stringify(value))
    }
    assert.deepEqual(namesOf(read({}, [])), [])
    assert.deepEqual(namesOf(read({ form: 'keys' }, {})), [])
    assert.equal(namesOf(read({}, null)), 'absent')
  })
  it('a claim of null is none: the next name, and the next place, are looked at', () => {
    const claims = ['groups_name', 'groups']
    const idToken = { groups_name: null, groups: ['photos'] }
    const rules = { ...RULES, claims }
    assert.deepEqual(namesOf(readGroups(rules, { idToken, userinfo: undefined }, undefined)), ['photos'])
    assert.deepEqual(namesOf(readGroups(rules, { idToken, userinfo: { groups: null } }, undefined)), ['photos'])
  })
  it('paths: deep ones, names with dots on the way, and never what objects inherit', () => {
    const roles = { 'resource.access': { 'photo.app': { roles: ['photos'] } } }
    const claims = ['resource.access.photo.app.roles']
    assert.deepEqual(namesOf(read({ claims }, undefined, roles)), ['photos'])
    for (const claim of ['constructor', '__proto__', 'a.constructor.name', 'toString.length']) {
      assert.equal(namesOf(read({ claims: [claim] }, undefined, { a: {} })), 'absent', claim)
    }
    assert.equal(namesOf(read({ claims: ['a.b'] }, undefined, { a: ['b'] })), 'absent')
  })
  it('200 names after `map`, `take` and `prefix` count, of 64 characters with the prefix; one more is an overage', () => {
    const sent = Array.from({ length: 400 }, (_, n) => `g${n}`)
    const map = new Map(sent.slice(0, 300).map((name, n) => [name, `ours${n % 200}`]))
    assert.equal(namesOf(read({ take: 'mapped', map }, sent)).length, 200)
    assert.equal(namesOf(read({ take: 'all', map }, sent)), 'overage')
    const long = 'x'.repeat(60)
    assert.deepEqual(namesOf(read({ prefix: 'abc:' }, [long])), [`abc:${long}`])
    assert.equal(namesOf(read({ prefix: 'abcd:' }, [long])), 'overage')
    assert.deepEqual(namesOf(read({ prefix: 'abcd:', take: [] }, [long])), [])
    assert.equal(namesOf(read({}, [''])), 'overage')
  })
  it('`take` names them as sent or as mapped; what both come to counts once', () => {
    const map = new Map([
      ['/a', 'photos'],
      ['/b', 'photos'],
    ])
    assert.deepEqual(namesOf(read({ map, take: ['photos'] }, ['/a', '/b', '/c'])), ['photos'])
    assert.deepEqual(namesOf(read({ map, take: ['/b', '/c'] }, ['/a', '/b', '/c'])), ['photos', '/c'])
    assert.deepEqual(namesOf(read({ map, take: 'all' }, ['photos', '/a'])), ['photos'])
  })
  it('33 nor do other groups of administrators, nor what a prefix makes of a mapped name', () => {
    const reserved = ['ops']
    assert.deepEqual(namesOf(read({ reserved }, ['ops', 'admins', 'photos'])), ['photos'])
    assert.deepEqual(namesOf(read({ reserved, take: ['ops'] }, ['ops'])), [])
    assert.deepEqual(namesOf(read({ reserved, map: new Map([['it', 'ops']]), take: 'all' }, ['it'])), ['ops'])
    assert.deepEqual(namesOf(read({ map: new Map([['it', 'mins']]), prefix: 'ad', take: 'mapped' }, ['it'])), [])
    assert.deepEqual(namesOf(read({ reserved, map: new Map([['it', 's']]), prefix: 'op', take: 'mapped' }, ['it'])), [])
  })
  it('33 `admins` counts only where `map` gives it, whatever makes the name', () => {
    assert.deepEqual(namesOf(read({}, ['admins'])), [])
    assert.deepEqual(namesOf(read({ take: ['admins'] }, ['admins'])), [])
    assert.deepEqual(namesOf(read({ prefix: 'ad' }, ['mins'])), [])
    assert.deepEqual(namesOf(read({ take: 'mapped', map: new Map([['it', 'admins']]) }, ['it'])), ['admins'])
  })
  it('userinfo wins when it has the claim; what is in neither is absent', () => {
    const places = { idToken: { groups: ['a'] }, userinfo: { groups: ['b'] } }
    assert.deepEqual(namesOf(readGroups(RULES, places, undefined)), ['b'])
    assert.deepEqual(namesOf(readGroups(RULES, { ...places, userinfo: {} }, undefined)), ['a'])
    assert.equal(namesOf(readGroups(RULES, { idToken: {}, userinfo: {} }, undefined)), 'absent')
  })
  it('where the place that had the claim did not answer, nothing is said', () => {
    assert.equal(namesOf(readGroups(RULES, { idToken: undefined, userinfo: {} }, 'id_token')), 'unsaid')
    assert.equal(namesOf(readGroups(RULES, { idToken: {}, userinfo: {} }, 'id_token')), 'absent')
  })
})
