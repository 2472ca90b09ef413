import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createRouter, reservation, reservedPaths } from '../../../../src/core/paths/router.ts'
import type { Route } from '../../../../src/core/route.ts'
import { RESERVED, sampleRoute, target } from '../samples.ts'

const routes = [
  sampleRoute({ id: 'root', path: '/', stripPath: false }),
  sampleRoute({ id: 'photos', path: '/photos' }),
  sampleRoute({ id: 'albums', path: '/photos/albums' }),
  sampleRoute({ id: 'named', host: 'photos.example.com', path: '/photos' }),
  sampleRoute({ id: 'spaced', path: '/my files', encodedSlash: 'reject' }),
]
const router = createRouter(routes, RESERVED)

function routed(host: string, requestTarget: string): string {
  const selection = router.select(host, target(requestTarget))
  return selection.kind === 'route' ? selection.route.id : selection.kind
}

describe('the route', () => {
  it('is the longest path by whole segments', () => {
    assert.equal(routed('a.example', '/photos/albums/1'), 'albums')
    assert.equal(routed('a.example', '/photos/albums'), 'albums')
    assert.equal(routed('a.example', '/photos/albumsx'), 'photos')
    assert.equal(routed('a.example', '/photosx'), 'root')
    assert.equal(routed('a.example', '/photos/'), 'photos')
    assert.equal(routed('a.example', '/photos'), 'photos')
    assert.equal(routed('a.example', '/'), 'root')
  })
  it('names the host before one that names none, though its path be shorter', () => {
    assert.equal(routed('photos.example.com', '/photos/albums/1'), 'named')
    assert.equal(routed('photos.example.com', '/elsewhere'), 'root')
  })
  it('is none where no path fits', () => {
    assert.deepEqual(createRouter(routes.slice(1), RESERVED).select('a.example', target('/x')), { kind: 'none' })
    assert.deepEqual(createRouter([], RESERVED).select('a.example', target('/')), { kind: 'none' })
  })
  it('answers the rest of the path as received', () => {
    const selection = router.select('a.example', target('/photos/a%20b%2Fc;v?q'))
    assert.equal(selection.kind === 'route' && selection.relativePath, '/a%20b%2Fc;v')
    const bare = router.select('a.example', target('/photos'))
    assert.equal(bare.kind === 'route' && bare.relativePath, '/')
  })
  it('with a space in its path is met by the one way to write it', () => {
    const selection = router.select('a.example', target('/my%20files/x'))
    assert.equal(selection.kind === 'route' && selection.relativePath, '/x')
  })
})

describe('what is matched is what is forwarded', () => {
  for (const each of [
    '/%70hotos/x',
    '/photos/%61lbums/1',
    '/photos%2Falbums/1',
    '/%2Fphotos/x',
    '/photos;v=1/x',
    '/photos/%2561lbums',
    '/photos%2Fx',
  ]) {
    it(`refuses ${each}, which leads to another route when decoded`, () =>
      assert.equal(routed('a.example', each), 'ambiguous'))
  }
  it('lets %2F pass where every reading leads to the same route', () => {
    assert.equal(routed('a.example', '/photos/a%2Fb'), 'photos')
    assert.equal(routed('a.example', '/a%2Fb'), 'root')
  })
  it('refuses %2F on a route that says so, encoded again too', () => {
    assert.equal(routed('a.example', '/my%20files/a%2Fb'), 'ambiguous')
    assert.equal(routed('a.example', '/my%20files/a%252fb'), 'ambiguous')
    assert.equal(routed('a.example', '/my%20files/a%20b'), 'spaced')
  })
})

describe('for explain', () => {
  it('every route says why it was or was not taken', () => {
    const standings = router.candidates('b.example', target('/photos/albums/1')).map((c) => [c.route.id, c.standing])
    assert.deepEqual(Object.fromEntries(standings), {
      root: 'less_specific',
      photos: 'less_specific',
      albums: 'selected',
      named: 'other_host',
      spaced: 'other_path',
    })
  })
})

describe('letter case', () => {
  const open = sampleRoute({ id: 'all', path: '/' })
  const admin = sampleRoute({ id: 'admin', path: '/Admin' })
  const found = (path: string, change: Partial<Route> = {}) => {
    const selection = createRouter([{ ...open, ...change }, admin], RESERVED).select('a.example', target(path))
    return selection.kind === 'route' ? selection.route.id : selection.kind
  }
  it('leads to no other route: 400', () => {
    assert.equal(found('/Admin/users'), 'admin')
    for (const path of ['/ADMIN/users', '/admin', '/%61dmin/x']) assert.equal(found(path), 'ambiguous', path)
    assert.equal(found('/Other/X'), 'all')
    const alone = createRouter([admin], RESERVED)
    assert.equal(alone.select('a.example', target('/admin')).kind, 'none')
  })
  it('counts where the route that gets the path says `case: sensitive`', () => {
    assert.equal(found('/admin', { case: 'sensitive' }), 'all')
  })
})

describe('reserved paths', () => {
  const at = (host: string, path: string) => reservation(router, 'gate.example.com', host, target(path))
  it('belong to the issuer on hosts that no route names', () => {
    assert.ok(!router.namesHost('any.example'))
    for (const path of [
      '/oauth/token',
      '/oauth',
      '/account',
      '/admin/api',
      '/oauth/assets/a.css',
      '/.well-known/openid-configuration',
    ]) {
      assert.equal(at('any.example', path), 'reserved', path)
    }
  })
  it('are only what is served: everything else is a route\u2019s', () => {
    for (const path of [
      '/assets/a.css',
      '/.well-known/immich',
      '/.well-known/acme-challenge/x',
      '/.well-known',
      '/accounts',
    ])
      assert.equal(at('any.example', path), 'free', path)
    const bare = createRouter(routes, reservedPaths({ issuer: false, admin: false }))
    for (const path of ['/oauth/token', '/account', '/admin', '/.well-known/openid-configuration'])
      assert.equal(reservation(bare, 'gate.example.com', 'any.example', target(path)), 'free', path)
    assert.equal(
      reservation(bare, 'gate.example.com', 'any.example', target('/.well-known/oauth-protected-resource')),
      'reserved',
    )
  })
  it('are free on a host that a route names, but for resource metadata', () => {
    assert.ok(router.namesHost('photos.example.com'))
    assert.equal(at('photos.example.com', '/oauth/token'), 'free')
    assert.equal(at('photos.example.com', '/.well-known/oauth-protected-resource/photos'), 'reserved')
  })
  it('belong to the issuer on the host of public_url, though a route name it', () => {
    const naming = createRouter([sampleRoute({ host: 'gate.example.com', path: '/' })], RESERVED)
    assert.equal(reservation(naming, 'gate.example.com', 'gate.example.com', target('/account')), 'reserved')
  })
  it('are whole segments', () => assert.equal(at('any.example', '/accounts'), 'free'))
  it('are not reached by another spelling', () => {
    for (const path of ['/%6Fauth/token', '/oauth%2Ftoken', '/oauth;x/token']) {
      assert.equal(at('any.example', path), 'ambiguous', path)
    }
  })
})
