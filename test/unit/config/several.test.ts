import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Config } from '../../../src/config/config.ts'
import { type Case, configOf, describeCases, problemsOf, withTopLines } from './files.ts'

const SECRETS = { AUDGATE_SECRET: 'a secret of several instances', AUDGATE_FEED_TOKEN: 'a-feed-token-of-several' }

const withLines = (...lines: readonly string[]): Config => configOf(withTopLines(...lines), SECRETS)
const POSTGRES = { kind: 'postgres', pool: 10, pooler: 'none', ca: undefined, timeoutMs: 5_000, migrate: 'auto' }

describe('settings of several instances', () => {
  it('have defaults that need no thought', () => {
    const { instance, staleRevocations, dpopReplay, shutdown, audit } = configOf(withTopLines())
    assert.match(instance, /^[A-Za-z0-9]/)
    assert.deepEqual(staleRevocations, { afterSeconds: 15, action: 'refuse' })
    assert.deepEqual(
      [dpopReplay, shutdown, audit],
      ['instance', { delayMs: 0, graceMs: 30_000 }, { keepSeconds: 7_776_000 }],
    )
  })

  it('`stale_after` is by default never above the life of a token, and never below what signs of life need', () => {
    for (const [ttl, seconds] of [
      ['5m', 15],
      ['15s', 15],
      ['10s', 10],
      ['3s', 5],
    ] as const)
      assert.equal(withLines(`issuer: { access_token_ttl: ${ttl} }`).staleRevocations.afterSeconds, seconds, ttl)
  })

  it('may be what their bounds allow', () => {
    assert.equal(withLines('stale_after: 5s').staleRevocations.afterSeconds, 5)
    assert.equal(withLines('stale_after: 5m').staleRevocations.afterSeconds, 300)
    assert.equal(withLines('on_stale_revocations: allow').staleRevocations.action, 'allow')
    assert.equal(withLines('dpop_replay: store').dpopReplay, 'store')
    assert.deepEqual(withLines('shutdown: { delay: 3s, grace: 0s }').shutdown, { delayMs: 3_000, graceMs: 0 })
    assert.equal(withLines('audit: { keep: 7d }').audit.keepSeconds, 604_800)
    assert.deepEqual(withLines('listen: fd:3').listen, { fd: 3 })
    assert.deepEqual(withLines('listen: unix:a.sock').listen, { path: '/etc/audgate/a.sock' })
  })
})

describe('`store`', () => {
  it('names a file or a database, as a text or with settings', () => {
    assert.deepEqual(withLines('store: { url: "sqlite:./x.db" }').store, { kind: 'sqlite', path: '/etc/audgate/x.db' })
    const db = { user: 'u', hosts: [{ host: 'db', port: 5432 }], database: 'd' }
    for (const text of ['store: postgres://u@db/d', 'store: { url: "postgresql://u@db:5432/d" }'])
      assert.deepEqual(withLines(text).store, { ...POSTGRES, ...db })
    const set = 'pool: 1, pooler: transaction, ca: ca.pem, timeout: 3s, migrate: never'
    const settings = { pool: 1, pooler: 'transaction', ca: '/etc/audgate/ca.pem', timeoutMs: 3_000, migrate: 'never' }
    assert.deepEqual(withLines(`store: { url: "postgres://u@db/d", ${set} }`).store, {
      ...POSTGRES,
      ...db,
      ...settings,
    })
  })

  it('takes several hosts, IPv6, folders of sockets, and what is percent-encoded', () => {
    for (const [text, user, hosts, database] of [
      ['postgres://u@a:5433,b/d', 'u', ['a 5433', 'b 5432'], 'd'],
      ['postgres://u@[::1]:5433,[2001:db8::1]/d', 'u', ['::1 5433', '2001:db8::1 5432'], 'd'],
      ['postgres://u@%2Fvar%2Frun%2Fpostgresql:5433/d', 'u', ['/var/run/postgresql 5433'], 'd'],
      ['postgres://me%40work@db/a%2Fb', 'me@work', ['db 5432'], 'a/b'],
    ] as const) {
      const { store } = withLines(`store: "${text}"`)
      assert.ok(store.kind === 'postgres')
      assert.deepEqual(
        [store.user, store.hosts.map(({ host, port }) => `${host} ${port}`), store.database],
        [user, hosts, database],
      )
    }
  })

  it('refuses a password, however it is written, and shows no part of it', () => {
    for (const url of [
      'u:hunter2@h/d',
      'u:hun@ter2@h/d',
      'u:hun/ter2@h/d',
      'u:hun#ter2@h/d',
      'u:hun?ter2@h/d',
      'u:@h/d',
    ]) {
      for (const text of [`store: "postgres://${url}"`, `store: { url: "postgres://${url}" }`, `store: "\${STORE}"`]) {
        const problems = problemsOf(withTopLines(text), { ...SECRETS, STORE: `postgres://${url}` })
        assert.match(
          problems.join('\n'),
          /^2:\d+: `store(?:\.url)?` must not hold the password: it goes into AUDGATE_STORE_PASSWORD$/,
        )
        assert.doesNotMatch(problems.join('\n'), /hun|ter2/)
      }
    }
  })
})

const of = (rule: string, line: string, problem: RegExp): Case => ({ rule, text: withTopLines(line), problem })
const FORM = /^2:8: `store` must be sqlite:PATH or postgres:\/\/USER@HOST/

describeCases('settings of several instances', [
  of('a database has a user', 'store: postgres://h/d', FORM),
  of('a database has a host', 'store: postgres://u@/d', FORM),
  of('a database has a name', 'store: postgres://u@h/', FORM),
  of('a port is one', 'store: postgres://u@h:0/d', FORM),
  of('no host is empty', 'store: postgres://u@h,/d', FORM),
  of('an IPv6 address of a database has brackets', 'store: postgres://u@2001:db8::1/d', FORM),
  of('a URL has no settings', 'store: postgres://u@h/d?sslmode=disable', FORM),
  of('there are two kinds of stores', 'store: mysql://u@h/d', FORM),
  of('a map of `store` has a url', 'store: { pool: 3 }', /^2:8: `store.url` is missing/),
  of('a pool has a connection', 'store: { url: "sqlite:x", pool: 0 }', /^2:33: `store.pool` must be .*1 to 1000/),
  of('a pooler is a word', 'store: { url: "sqlite:x", pooler: session }', /^2:35: .*none, transaction/),
  of('migrate is a word', 'store: { url: "sqlite:x", migrate: yes }', /^2:36: .*auto, never/),
  of('a statement has some time', 'store: { url: "sqlite:x", timeout: 0s }', /^2:36: .*longer than nothing/),
  of('keys of `store` are known', 'store: { url: "sqlite:x", foo: 1 }', /^2:27: unknown key `foo` in `store`/),
  of('an instance has a name', 'instance: "a b"', /^2:11: .*1 to 63 letters/),
  of('knowledge is no younger than 5 s', 'stale_after: 4s', /^2:14: .*5s to 5m/),
  of('knowledge is no older than 5 min', 'stale_after: 301s', /^2:14: .*5s to 5m/),
  {
    rule: 'knowledge is not older than a token can be',
    text: withTopLines('stale_after: 31s', 'issuer: { access_token_ttl: 30s }'),
    problem: /^2:14: `stale_after` must not be longer than `issuer.access_token_ttl`/,
  },
  of('what is done of stale knowledge is a word', 'on_stale_revocations: maybe', /^2:23: .*refuse, allow/),
  of('proofs count at an instance, or in the store', 'dpop_replay: all', /^2:14: .*instance, store/),
  of('a delay is a duration', 'shutdown: { delay: 3 }', /^2:20: .*must be a duration/),
  of('audit lines are kept for a while', 'audit: { keep: 0d }', /^2:16: .*at least 1s/),
  of('a socket has a path', 'listen: "unix:"', /^2:9: .*unix:PATH/),
  of('standard descriptors are no sockets', 'listen: fd:2', /^2:9: .*from 3 on/),
  of('a list of upstreams is not empty', 'issuer: { upstream: [] }', /^2:21: .*at least one audgate/m),
  of('each upstream is an address', 'issuer: { upstream: ["http://a", 5] }', /^2:34: `issuer.upstream\[1\]`/m),
])
