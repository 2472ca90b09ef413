import { z } from 'zod'
import { parseHost } from '../../core/address.ts'
import type { PostgresHost, StoreConfig } from '../config.ts'
import { faulty, type Parsed, parsed, parseLifetime, parseTimeout, plainText, textLeaf, wordLeaf } from './leaf.ts'

/** What `store` names, before it is joined with the rest of the file. */
type StoreAddress =
  | { readonly kind: 'sqlite'; readonly path: string }
  | {
      readonly kind: 'postgres'
      readonly user: string
      readonly hosts: readonly PostgresHost[]
      readonly database: string
    }

const FORM = 'must be sqlite:PATH or postgres://USER@HOST[:PORT][,HOST[:PORT]]/DATABASE'

/** `sqlite:PATH`, or `postgres://USER@HOST[:PORT][,HOST[:PORT]]/DB`; a host may also be the absolute path of a socket's folder, percent-encoded. */
export function parseStore(text: string): Parsed<StoreAddress> {
  if (/\p{Cc}/u.test(text)) return faulty('must not hold control characters')
  if (text.startsWith('sqlite:')) {
    const path = text.slice('sqlite:'.length)
    return path === '' || path === ':memory:'
      ? faulty('must be sqlite:PATH with the path of a file')
      : parsed({ kind: 'sqlite', path })
  }
  return /^postgres(?:ql)?:\/\//.test(text) ? parsePostgres(text) : faulty(FORM)
}

function parsePostgres(text: string): Parsed<StoreAddress> {
  const [, credentials = '', places = '', name = ''] =
    /^postgres(?:ql)?:\/\/([^@/]*)@([^/@]*)\/([^/?#]*)$/.exec(text) ?? []
  // One that is not encoded may hold what would end the user or the host.
  if (/^postgres(?:ql)?:\/\/[^@]*:.*@/.test(text))
    return faulty('must not hold the password: it goes into AUDGATE_STORE_PASSWORD')
  const [user, database] = [decoded(credentials), decoded(name)]
  if (user === '' || database === '' || places === '') return faulty(FORM)
  const hosts = places.split(',').map(parsePlace)
  const known = hosts.filter((host) => host !== undefined)
  return known.length === hosts.length ? parsed({ kind: 'postgres', user, hosts: known, database }) : faulty(FORM)
}

const DEFAULT_PORT = 5432

function parsePlace(place: string): PostgresHost | undefined {
  const [, host = '', digits] = /^(.*?)(?::(\d{1,5}))?$/.exec(place) ?? []
  const port = digits === undefined ? DEFAULT_PORT : Number(digits)
  if (port < 1 || port > 65_535) return undefined
  const folder = decoded(host)
  if (folder.startsWith('/')) return { host: folder, port }
  const known = parseHost(host)
  return known === undefined ? undefined : { host: known.replace(/^\[|\]$/g, ''), port }
}

/** '' for what can't be decoded. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return ''
  }
}

/** A store in the words of the file; settings of the connection stand behind. */
export function storeText(store: StoreConfig): string {
  if (store.kind === 'sqlite') return store.path
  const { user, hosts, database, pool, pooler, ca, timeoutMs, migrate } = store
  const places = hosts.map(({ host, port }) => `${encodeURIComponent(host)}:${port}`).join(',')
  return `postgres://${encodeURIComponent(user)}@${places}/${database} (pool ${pool}, pooler ${pooler}, ca ${ca ?? 'system'}, timeout ${timeoutMs}ms, migrate ${migrate})`
}

const MOST_CONNECTIONS = 1000

/** `store` in both its forms. */
export const STORE = z
  .union(
    [
      textLeaf(
        '`sqlite:PATH`, relative to this file, or `postgres://USER@HOST[:PORT][,HOST[:PORT]]/DATABASE`.',
        parseStore,
      ),
      z.strictObject({
        url: textLeaf('What the text form says.', parseStore),
        pool: z
          .int({ error: `must be a whole number from 1 to ${MOST_CONNECTIONS}` })
          .min(1, { error: `must be a whole number from 1 to ${MOST_CONNECTIONS}` })
          .max(MOST_CONNECTIONS, { error: `must be a whole number from 1 to ${MOST_CONNECTIONS}` })
          .meta({ description: 'Connections of one instance.' })
          .prefault(10),
        pooler: wordLeaf('What stands between: `transaction` for pgbouncer in that mode.', [
          'none',
          'transaction',
        ]).prefault('none'),
        ca: textLeaf(
          'PEM file with the authorities that the server’s certificate is checked by.',
          plainText,
        ).optional(),
        timeout: textLeaf('For one statement.', parseTimeout).prefault('5s'),
        migrate: wordLeaf('Whether a start brings older tables up to date.', ['auto', 'never']).prefault('auto'),
      }),
    ],
    { error: FORM },
  )
  .meta({ description: 'What is remembered.' })

/** `shutdown`. */
export const SHUTDOWN = z
  .strictObject({
    delay: textLeaf('How long connections are still taken after the end was asked for.', parseDelay).prefault('0s'),
    grace: textLeaf('How long requests under way may take to finish.', parseDelay).prefault('30s'),
  })
  .meta({ description: 'How the server ends.' })

function parseDelay(text: string): Parsed<number> {
  return /^0(?:ms|s|m|h)?$/.test(text) ? parsed(0) : parseTimeout(text)
}

const TEN_YEARS_SECONDS = 3650 * 86_400

/** `audit`. */
export const AUDIT = z
  .strictObject({
    keep: textLeaf('How long audit lines are kept.', (text) => parseLifetime(text, TEN_YEARS_SECONDS)).prefault('90d'),
  })
  .meta({ description: 'The audit trail.' })

const SHORTEST_SECONDS = 5
const LONGEST_SECONDS = 300

/** `stale_after`, in seconds. */
export function parseStaleAfter(text: string): Parsed<number> {
  const result = parseLifetime(text, Number.MAX_SAFE_INTEGER)
  const within = !result.ok || (result.value >= SHORTEST_SECONDS && result.value <= LONGEST_SECONDS)
  return within ? result : faulty('must be from 5s to 5m')
}

/** `instance`: stands in logs and labels. */
export function parseInstance(text: string): Parsed<string> {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(text)
    ? parsed(text)
    : faulty('must be 1 to 63 letters, digits, dots, hyphens or underscores')
}
