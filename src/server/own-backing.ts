import type { Config } from '../config/config.ts'
import type { Backing, BackingOptions } from './backing.ts'
import type { Closing } from './closing.ts'
import { createFeed, type Feed } from './feed.ts'
import { type Following, follow } from './following.ts'
import { mountIssuer } from './issuer-mount.ts'
import { type Memory, openMemory } from './memory.ts'

/** Opens the store and the issuer where the file asks for them, or follows the audgate that has them. */
export async function openOwnBacking(config: Config, options: BackingOptions, closing: Closing): Promise<Backing> {
  const { now, onEvent } = options
  const memory = await openMemory(config, options, closing)
  const issuer = await mountIssuer(config, { store: memory.store, now, onEvent })
  closing.add(() => issuer.close())
  const feed = openFeed(config, memory, options)
  if (feed !== undefined) closing.add(() => feed.close())
  const listeners: (() => void)[] = []
  const onKeys = (): void => {
    for (const listener of listeners) listener()
    feed?.keysChanged()
  }
  issuer.onKeysChanged(onKeys)
  const following = startFollowing(config, options, memory, onKeys)
  if (following !== undefined) closing.add(() => following.close())
  return {
    issuer,
    revocations: memory.revocations,
    unavailable: () => memory.revocations.unavailable() ?? following?.unavailable(),
    noteUse: (gid, at) => memory.usage?.note(gid, at),
    onKeysChanged: (listener) => void listeners.push(listener),
    useJti: undefined,
    store: memory.store,
    feed,
    following,
  }
}

function openFeed(
  { secrets }: Config,
  { store }: Memory,
  { now, feedTiming: { heartbeatMs } }: BackingOptions,
): Feed | undefined {
  return store === undefined ? undefined : createFeed({ store, feedToken: secrets.feedToken, now, heartbeatMs })
}

function startFollowing(
  { issuer, secrets }: Config,
  { log, current, feedTiming: { staleAfterMs }, onAvailability }: BackingOptions,
  { revocations }: Memory,
  onKeys: () => void,
): Following | undefined {
  const { feedToken } = secrets
  if (issuer.kind !== 'upstream') return undefined
  if (feedToken === undefined) throw new TypeError('config let a gateway on its own through without AUDGATE_FEED_TOKEN')
  const mayGoOn = (): boolean => {
    const { issuer: inForce } = current()
    return inForce.kind === 'upstream' && inForce.onStaleRevocations === 'allow'
  }
  return follow({
    upstream: issuer.upstream,
    feedToken,
    mayGoOn,
    log,
    revocations,
    onKeys,
    staleAfterMs,
    onChange: () => onAvailability?.(),
  })
}
