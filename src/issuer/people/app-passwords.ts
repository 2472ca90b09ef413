import { createHash, randomBytes } from 'node:crypto'
import { APP_PASSWORD_PREFIX } from '../../core/presented.ts'
import { grantableScopes, type Resource } from '../../core/resource.ts'
import type { AppPasswordRecord } from '../../store/session-store.ts'
import type { Store, UserRecord } from '../../store/store.ts'

/** App passwords that one person may have at the same time. */
const MOST_OF_PERSON = 100
const LONGEST_NAME = 64

/** Seconds. */
interface AppPasswordTerms {
  readonly max: number
  readonly unused: number
}

export interface NewAppPassword {
  /** With the groups that count in what comes from it. */
  readonly user: UserRecord
  readonly resource: Resource
  readonly scopes: readonly string[]
  readonly name: string
  /** Seconds; undefined: as long as may be. */
  readonly life: number | undefined
}

export type MadeAppPassword =
  /** `password` is shown now and never again. */
  | { readonly kind: 'made'; readonly password: string; readonly record: AppPasswordRecord }
  /** In words that say what to do. */
  | { readonly kind: 'invalid'; readonly problem: string }

/**
 * Makes a password for one resource: 256 bits behind a prefix that scanners can look for; only its SHA-256 is kept, for nobody guesses it.
 * @param now NumericDate, seconds.
 */
export async function makeAppPassword(
  store: Store,
  asked: NewAppPassword,
  terms: AppPasswordTerms,
  now: number,
): Promise<MadeAppPassword> {
  const problem = problemOf(asked, terms)
  if (problem !== undefined) return { kind: 'invalid', problem }
  const password = `${APP_PASSWORD_PREFIX}${randomBytes(32).toString('base64url')}`
  const record: AppPasswordRecord = {
    id: randomBytes(9).toString('base64url').replace(/^[-_]/, 'x'),
    hash: hashAppPassword(password),
    gid: randomBytes(16).toString('base64url'),
    sub: asked.user.sub,
    resource: asked.resource.identifier,
    scopes: [...asked.resource.scopes.keys()].filter((scope) => asked.scopes.includes(scope)),
    name: asked.name.trim(),
    createdAt: now,
    expiresAt: now + (asked.life ?? terms.max),
    lastUsedAt: undefined,
  }
  if ((await store.addAppPassword(record, MOST_OF_PERSON)) === 'added') return { kind: 'made', password, record }
  return { kind: 'invalid', problem: `There are ${MOST_OF_PERSON} app passwords already: revoke one of them first.` }
}

/** SHA-256, base64url. */
function hashAppPassword(password: string): string {
  return createHash('sha256').update(password).digest('base64url')
}

/** When it ends by itself: at its end, or for lying unused. */
export function endOfAppPassword(record: AppPasswordRecord, { max, unused }: AppPasswordTerms): number {
  const { createdAt, expiresAt, lastUsedAt = createdAt } = record
  return Math.min(expiresAt, createdAt + max, lastUsedAt + unused)
}

function problemOf(
  { user, resource, scopes, name, life }: NewAppPassword,
  { max }: AppPasswordTerms,
): string | undefined {
  const text = name.trim()
  if (text === '') return 'Give it a name that says what it is for.'
  if (text.length > LONGEST_NAME) return `The name may have at most ${LONGEST_NAME} characters.`
  if (/\p{Cc}/u.test(text)) return 'The name must not hold control characters.'
  if (user.disabled) return `The account ${user.username} is disabled.`
  if (scopes.length === 0) return 'Choose at least one scope.'
  const known: readonly string[] = [...resource.scopes.keys()]
  const unknown = scopes.find((scope) => !known.includes(scope))
  if (unknown !== undefined)
    return `${resource.identifier} has no scope ${JSON.stringify(unknown)}; it has: ${known.join(', ')}.`
  const may: readonly string[] = grantableScopes(resource, user.groups)
  const withheld = scopes.find((scope) => !may.includes(scope))
  if (withheld !== undefined) return `The groups of ${user.username} don’t give ${withheld}.`
  if (life === undefined || (life > 0 && life <= max)) return undefined
  return `It may last at most ${Math.floor(max / 86_400)} days (app_passwords.max).`
}
