import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Config } from '../config/config.ts'
import type { Store } from '../store/store.ts'

const DATABASE_MS = 1_000
/** A file has one machine, and mostly one process. */
const FILE_MS = 5_000

interface HeartbeatOptions {
  readonly store: Pick<Store, 'noteInstance' | 'forgetInstance'>
  readonly config: Config
  /** The file in force. */
  readonly current: () => Config
  /** Up to where the revocations have been read. */
  readonly position: () => number
  readonly staleAfterMs: () => number
}

/** Writes down that this process lives, what file it has in force, and how far it has read. `close` takes the line away. */
export function startHeartbeat(options: HeartbeatOptions): { close(): Promise<void> } {
  const { store, config, current, position, staleAfterMs } = options
  const id = randomBytes(9).toString('base64url')
  const version = packageVersion()
  let underWay: Promise<void> | undefined
  const beat = (): void => {
    if (underWay !== undefined) return
    const digest = configDigest(current())
    const line = { id, name: config.instance, version, digest, position: position(), staleAfterMs: staleAfterMs() }
    // A store that is away is told of elsewhere.
    underWay = store
      .noteInstance(line)
      .catch(() => undefined)
      .finally(() => {
        underWay = undefined
      })
  }
  beat()
  const timer = setInterval(beat, config.store.kind === 'postgres' ? DATABASE_MS : FILE_MS)
  timer.unref()
  return {
    close: async () => {
      clearInterval(timer)
      await underWay
      await store.forgetInstance(id).catch(() => undefined)
    },
  }
}

/** What tells this process from others of its store: in metrics. */
export function instanceFacts(config: Config): {
  readonly instance: string
  readonly version: string
  readonly digest: string
} {
  return { instance: config.instance, version: packageVersion(), digest: configDigest(config) }
}

/** The same for two files that say the same, but for what is each instance's own. */
function configDigest(config: Config): string {
  const { file: _, secrets: __, listen: ___, management: ____, instance: _____, store: ______, ...further } = config
  const { routeLines: _lines, ...shared } = further
  const spread = (_key: string, value: unknown): unknown =>
    value instanceof Map || value instanceof Set ? [...value] : value
  return createHash('sha256').update(JSON.stringify(shared, spread)).digest('hex').slice(0, 12)
}

function packageVersion(): string {
  const { version }: { version?: string } = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
  )
  return version ?? 'unknown'
}
