import { LEVELS } from '../../core/levels.ts'
import type { Draft } from '../draft.ts'
import type { FILE } from '../schema/file-schema.ts'
import { parseSafeUrl } from '../schema/leaf.ts'
import {
  isWritten,
  type Path,
  type Problems,
  placeOfKey,
  placeOfValue,
  quoted,
  type SourceNode,
  writtenAt,
} from '../source.ts'

/** The file as it was written, each value read or left out: what the checks over several keys look at. */
export type FileDraft = Draft<typeof FILE>
export type ResourceDraft = Item<NonNullable<FileDraft['resources']>>
type TrustedIssuerDraft = Item<NonNullable<FileDraft['trusted_issuers']>>
export type RouteDraft = Item<NonNullable<FileDraft['routes']>>

type Item<List extends readonly unknown[]> = NonNullable<List[number]>

/** What the checks over several keys work with. */
export interface Checking {
  readonly draft: FileDraft
  /** Reports at the value of `path`, or at the nearest thing around it. */
  at(path: Path, message: string): void
  /** Reports at the key of `path`. */
  atKey(path: Path, message: string): void
  /** Says something of a value that leaves the file good. */
  warn(path: Path, message: string): void
  warnKey(path: Path, message: string): void
  /** The text of `path` as it stands in the file, in backticks: what the environment gave is never shown. */
  shown(path: Path): string
  /** Whether `path` stands in the file: a default doesn't. */
  isWritten(path: Path): boolean
  /** Line of the value of `path`, to point at it from elsewhere. */
  line(path: Path): number
}

export function createChecking(draft: FileDraft, root: SourceNode, problems: Problems): Checking {
  return {
    draft,
    at: (path, message) => problems.add(placeOfValue(root, path), message),
    atKey: (path, message) => problems.add(placeOfKey(root, path), message),
    warn: (path, message) => problems.warn(placeOfValue(root, path), message),
    warnKey: (path, message) => problems.warn(placeOfKey(root, path), message),
    shown: (path) => quoted(writtenAt(root, path)),
    isWritten: (path) => isWritten(root, path),
    line: (path) => problems.lineOf(placeOfValue(root, path)),
  }
}

/** The members of a list that could be read, each with its index in the file. */
export function present<T>(list: readonly (T | undefined)[] | undefined): readonly (readonly [number, T])[] {
  return [...(list ?? []).entries()].filter((entry): entry is [number, T] => entry[1] !== undefined)
}

/**
 * Reports each member whose `keyOf` an earlier member has.
 * @param message Takes the line of the earlier one.
 */
export function reportDoubles<T>(
  checking: Checking,
  list: readonly (readonly [Path, T])[],
  keyOf: (member: T) => string | undefined,
  message: (line: number) => string,
): void {
  const seen = new Map<string, Path>()
  for (const [path, member] of list) {
    const key = keyOf(member)
    if (key === undefined) continue
    const earlier = seen.get(key)
    if (earlier === undefined) seen.set(key, path)
    else checking.at(path, message(checking.line(earlier)))
  }
}

/** Checks `issuer`, `trusted_issuers` and the listeners: what needs several keys of theirs. */
export function checkIssuers(checking: Checking): void {
  checkEmbedded(checking)
  checkTrusted(checking)
  checkListeners(checking)
}

/** Whether tokens of the issuer at `public_url` exist: it is here, or this gateway follows one that has it. */
export function hasOwnIssuer(draft: FileDraft): boolean {
  return draft.issuer !== false
}

function checkEmbedded(checking: Checking): void {
  const { issuer } = checking.draft
  if (issuer === undefined || issuer === false || !('access_token_ttl' in issuer)) return
  const { access_token_ttl: access, refresh_token_ttl: idle, refresh_token_max: most } = issuer
  if (idle !== undefined && most !== undefined && idle > most) {
    checking.at(
      ['issuer', 'refresh_token_ttl'],
      '`issuer.refresh_token_ttl` must not be longer than `refresh_token_max`',
    )
  }
  const staleAfter = checking.draft.stale_after
  if (access !== undefined && staleAfter !== undefined && staleAfter > access) {
    checking.at(['stale_after'], '`stale_after` must not be longer than `issuer.access_token_ttl`')
  }
  if (access !== undefined && most !== undefined && access > most) {
    checking.at(['issuer', 'access_token_ttl'], '`issuer.access_token_ttl` must not be longer than `refresh_token_max`')
  }
}

function checkTrusted(checking: Checking): void {
  const { draft } = checking
  const trusted = present(draft.trusted_issuers)
  for (const [index, issuer] of trusted) {
    const path = ['trusted_issuers', index]
    if (issuer.jwks_uri !== undefined && issuer.jwks_file !== undefined) {
      checking.atKey([...path, 'jwks_file'], 'write `jwks_uri` or `jwks_file`, not both')
    }
    if (hasOwnIssuer(draft) && issuer.issuer !== undefined && issuer.issuer === draft.public_url) {
      checking.at(
        [...path, 'issuer'],
        'is `public_url`: the embedded issuer is trusted as `embedded`; remove this entry',
      )
    }
    checkHttp(checking, path, issuer)
    const values = LEVELS.flatMap((level) =>
      present(issuer.acr?.[level]).map(([at, value]) => [[...path, 'acr', level, at], value] as const),
    )
    reportDoubles(
      checking,
      values,
      (value) => value,
      (line) => `the same value stands in line ${line}; it can mean one level only`,
    )
    const algorithms = present(issuer.algorithms).map(([at, name]) => [[...path, 'algorithms', at], name] as const)
    reportDoubles(
      checking,
      algorithms,
      (name) => name,
      () => 'this algorithm stands here twice; remove one',
    )
  }
  reportDoubles(
    checking,
    trusted.map(([index, issuer]) => [['trusted_issuers', index, 'issuer'], issuer] as const),
    (issuer) => issuer.issuer,
    (line) => `the same issuer stands in line ${line}; write it once`,
  )
}

/** Who can listen in between could give us keys of their own. */
function checkHttp(checking: Checking, path: Path, issuer: TrustedIssuerDraft): void {
  if (issuer.insecure_http === true) return
  for (const key of ['issuer', 'jwks_uri'] as const) {
    const url = issuer[key]
    if (url === undefined || parseSafeUrl(url).ok) continue
    checking.at(
      [...path, key],
      `\`${key}\` must be https; http is accepted for localhost, 127.0.0.0/8 and [::1], elsewhere with \`insecure_http: true\``,
    )
  }
}

function checkListeners(checking: Checking): void {
  const { listen, management } = checking.draft
  if (
    listen === undefined ||
    !('port' in listen) ||
    management === undefined ||
    listen.port === 0 ||
    listen.port !== management.port
  )
    return
  if (!canMeet(listen.host, management.host)) return
  checking.at(['management'], '`management` must have a port of its own: it is never on the public listener')
}

/** Whether listeners of two hosts could take the same address; names other than localhost are known to the system only. */
function canMeet(one: string, other: string): boolean {
  const every = ['', '0.0.0.0', '::']
  if (every.includes(one) || every.includes(other)) return true
  const addresses = (host: string) => (host === 'localhost' ? ['127.0.0.1', '::1'] : [host])
  return addresses(one).some((address) => addresses(other).includes(address))
}
