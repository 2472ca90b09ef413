import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { Revocation } from '../../../src/core/revocation.ts'
import { createFeed, FEED_PATH } from '../../../src/server/feed/feed.ts'
import { type FeedFollower, type FollowerState, followFeed } from '../../../src/server/feed/follower.ts'
import { NO_ISSUER } from '../../../src/server/issuer-mount.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import type { Store } from '../../../src/store/store.ts'

const TOKEN = 'a-feed-token-of-some-length'
const soon = (): number => Math.floor(Date.now() / 1_000) + 300

interface Source {
  readonly store: Store
  readonly url: string
  readonly port: number
  /** Cuts every open stream. */
  cut(): void
  close(): Promise<void>
}

async function startSource(store: Store, port = 0): Promise<Source> {
  const feed = createFeed({
    store,
    feedToken: TOKEN,
    now: Date.now,
    heartbeatMs: 50,
    onBehind: () => undefined,
    backChannel: NO_ISSUER.backChannel,
  })
  const sockets = new Set<Socket>()
  const server: Server = createServer((request, response) => feed.handle(request, response))
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const { port: bound } = server.address() as AddressInfo
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    store,
    port: bound,
    url: `http://127.0.0.1:${bound}`,
    cut,
    close: async () => {
      feed.close()
      cut()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function withStore(run: (store: Store) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'audgate-feed-'))
  const store = await openSqliteStore(join(folder, 'audgate.db'))
  try {
    await run(store)
  } finally {
    await store.close()
    await rm(folder, { recursive: true })
  }
}

function revoke(store: Store, key: string): Promise<readonly Revocation[]> {
  return store.act({
    revocations: [{ kind: 'jti', key, notBeforeMs: Date.now(), expiresAt: soon() }],
    deleteConsents: [],
    endAuthorizations: [],
    endSessions: [],
    audit: { event: 'token.revoked', detail: {} },
  })
}

interface Followed {
  readonly follower: FeedFollower
  readonly keys: string[]
  readonly states: FollowerState['kind'][]
  keyFetches: number
}

function follow(url: string, feedToken = TOKEN): Followed {
  const followed = { keys: [] as string[], states: [] as FollowerState['kind'][], keyFetches: 0 }
  const follower = followFeed({
    upstreams: [url],
    feedToken,
    staleAfterMs: () => 400,
    now: Date.now,
    clock: () => performance.now(),
    onRevocations: (entries) => followed.keys.push(...entries.map((entry) => entry.key)),
    onKeys: () => {
      followed.keyFetches += 1
    },
    onState: (state) => followed.states.push(state.kind),
  })
  return Object.assign(followed, { follower })
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 8_000
  while (!holds()) {
    assert.ok(performance.now() < deadline, `did not come about: ${what}`)
    await delay(5)
  }
}

describe('the revocation feed', () => {
  it('refuses who has no feed token', () =>
    withStore(async (store) => {
      const source = await startSource(store)
      try {
        for (const headers of [{}, { authorization: 'Bearer wrong' }, { authorization: `Basic ${TOKEN}` }]) {
          const response = await fetch(source.url + FEED_PATH, { headers })
          assert.equal(response.status, 401)
          assert.ok(!(await response.text()).includes(TOKEN))
        }
      } finally {
        await source.close()
      }
    }))

  it('begins with what is in force and goes on with what is done', () =>
    withStore(async (store) => {
      await revoke(store, 'before')
      const source = await startSource(store)
      const followed = follow(source.url)
      try {
        await until('the entry in force', () => followed.keys.includes('before') && !followed.follower.stale)
        await revoke(store, 'after')
        await until('the new entry', () => followed.keys.includes('after'))
        assert.deepEqual(followed.keys, ['before', 'after'])
        assert.equal(followed.keyFetches, 1)
      } finally {
        followed.follower.close()
        await source.close()
      }
    }))

  it('catches up after a break and misses nothing', () =>
    withStore(async (store) => {
      const first = await startSource(store)
      const followed = follow(first.url)
      await until('following', () => !followed.follower.stale)
      await first.close()
      const expected: string[] = []
      for (let i = 0; i < 50; i += 1) {
        expected.push(`missed-${i}`)
        await revoke(store, `missed-${i}`)
      }
      await until('silence noticed', () => followed.follower.stale)
      const second = await startSource(store, first.port)
      try {
        await until('all entries', () => followed.keys.length >= 50)
        assert.deepEqual(followed.keys, expected)
        await until('following again', () => !followed.follower.stale)
        assert.deepEqual(followed.states, ['stale', 'following', 'stale', 'following'])
      } finally {
        followed.follower.close()
        await second.close()
      }
    }))

  it('starts afresh when the store behind it was replaced', async () => {
    await withStore(async (one) => {
      for (let i = 0; i < 5; i += 1) await revoke(one, `one-${i}`)
      const first = await startSource(one)
      const followed = follow(first.url)
      await until('five entries', () => followed.keys.length === 5)
      await first.close()
      await withStore(async (two) => {
        await revoke(two, 'two-0')
        const second = await startSource(two, first.port)
        try {
          await until('the entry of the new store', () => followed.keys.includes('two-0'))
        } finally {
          followed.follower.close()
          await second.close()
        }
      })
    })
  })

  it('6,000 entries reach a new follower, and one that pauses while it reads; who is current lacks none', () =>
    withStore(async (store) => {
      const revocations = Array.from({ length: 6_000 }, (_, n) => ({
        kind: 'jti' as const,
        key: `${n}`.padStart(180, '.'),
        notBeforeMs: 1,
        expiresAt: soon(),
      }))
      const audit = { event: 'test', detail: {} }
      await store.act({ revocations, deleteConsents: [], endAuthorizations: [], endSessions: [], audit })
      const source = await startSource(store)
      const followed = follow(source.url)
      try {
        await until('current', () => !followed.follower.stale)
        assert.equal(new Set(followed.keys).size, 6_000)
        const response = await fetch(source.url + FEED_PATH, { headers: { authorization: `Bearer ${TOKEN}` } })
        const reader = response.body?.getReader()
        const decoder = new TextDecoder()
        let text = ''
        for (let pauses = 0; !text.includes('event: current'); pauses += 1) {
          const { value } = (await reader?.read()) ?? {}
          text += decoder.decode(value, { stream: true })
          if (pauses < 3) await delay(100)
        }
        assert.equal(text.match(/event: revocation/g)?.length, 6_000)
        await reader?.cancel()
      } finally {
        followed.follower.close()
        await source.close()
      }
    }))

  it('a position of another epoch, as after a copy from a backup, brings everything in force', () =>
    withStore(async (store) => {
      await revoke(store, 'before')
      const source = await startSource(store)
      const followed = follow(source.url)
      try {
        await until('the entry', () => followed.keys.includes('before'))
        await store.renewEpoch()
        await revoke(store, 'after')
        await until('both again', () => followed.keys.filter((key) => key === 'before').length === 2)
        await until('the new one', () => followed.keys.includes('after'))
      } finally {
        followed.follower.close()
        await source.close()
      }
    }))

  it('stays stale, and says so once, while the feed token is refused', () =>
    withStore(async (store) => {
      const source = await startSource(store)
      const followed = follow(source.url, 'another-token')
      try {
        await delay(600)
        assert.equal(followed.follower.stale, true)
        assert.deepEqual(followed.states, ['stale'])
      } finally {
        followed.follower.close()
        await source.close()
      }
    }))
})
