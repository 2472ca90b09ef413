import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createRouter, reservation, routeNamesHost } from '../../../src/core/router.ts'
import { sampleRoute, target } from './samples.ts'

const routes = [
  sampleRoute({ id: 'root', path: '/', stripPath: false }),
  sampleRoute({ id: 'photos', path: '/photos' }),
  sampleRoute({ id: 'albums', path: '/photos/albums' }),
  sampleRoute({ id: 'named', host: 'photos.example.com', path: '/photos' }),
  sampleRoute({ id: 'spaced', path: '/my files', encodedSlash: 'reject' }),
]
const router = createRouter(routes)

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
    assert.deepEqual(createRouter(routes.slice(1)).select('a.example', target('/x')), { kind: 'none' })
    assert.deepEqual(createRouter([]).select('a.example', target('/')), { kind: 'none' })
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

describe('law 4: what is matched is what is forwarded', () => {
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

describe('reserved paths', () => {
  const at = (host: string, path: string) => reservation(router, 'gate.example.com', host, target(path))
  it('belong to the issuer on hosts that no route names', () => {
    assert.ok(!routeNamesHost(router, 'any.example'))
    for (const path of ['/oauth/token', '/oauth', '/account', '/admin/api', '/assets/a.css', '/.well-known/x']) {
      assert.equal(at('any.example', path), 'reserved', path)
    }
  })
  it('are free on a host that a route names, but for resource metadata', () => {
    assert.ok(routeNamesHost(router, 'photos.example.com'))
    assert.equal(at('photos.example.com', '/oauth/token'), 'free')
    assert.equal(at('photos.example.com', '/.well-known/oauth-protected-resource/photos'), 'reserved')
  })
  it('belong to the issuer on the host of public_url, though a route name it', () => {
    const naming = createRouter([sampleRoute({ host: 'gate.example.com', path: '/' })])
    assert.equal(reservation(naming, 'gate.example.com', 'gate.example.com', target('/account')), 'reserved')
  })
  it('are whole segments', () => assert.equal(at('any.example', '/accounts'), 'free'))
  it('are not reached by another spelling', () => {
    for (const path of ['/%6Fauth/token', '/oauth%2Ftoken', '/oauth;x/token']) {
      assert.equal(at('any.example', path), 'ambiguous', path)
    }
  })
})
