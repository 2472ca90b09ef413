import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { dirname, resolve, sep } from 'node:path'
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

/** Where and how the file stands, and what is each machine's own: `workers: auto` is as many as it has cores. */
const OWN: ReadonlySet<string> = new Set<keyof Config>([
  ...(['file', 'files', 'warnings', 'routeLines', 'secrets'] as const),
  ...(['listen', 'management', 'instance', 'store', 'workers'] as const),
])

/** The same for two files that say the same, wherever each stands. */
function configDigest(config: Config): string {
  const shared = Object.entries(config).filter(([key]) => !OWN.has(key))
  const folder = `${dirname(resolve(config.file))}${sep}`
  const spread = (_key: string, value: unknown): unknown => {
    if (value instanceof Map || value instanceof Set) return [...value]
    return typeof value === 'string' && value.startsWith(folder) ? value.slice(folder.length) : value
  }
  return createHash('sha256').update(JSON.stringify(shared, spread)).digest('hex').slice(0, 12)
}

function packageVersion(): string {
  const { version }: { version?: string } = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
  )
  return version ?? 'unknown'
}
