import { createHash, randomBytes } from 'node:crypto'
import type { KeptLink, LinkRecord } from '../../store/link-store.ts'
import type { Store, UserRecord } from '../../store/store.ts'

/** What a one-time link is for: to come in for the first time, or again. */
export type LinkKind = LinkRecord['kind']

/** Where links lead, below the origin of the issuer. */
export const LINK_PATH = '/account/link'
/** The query parameter, and the field of the page's form, that holds the secret. */
export const LINK_FIELD = 'link'

/** The longest that somebody may say. Seconds. */
export const LONGEST_LINK_SECONDS = 30 * 86_400
/** Links of one person that may be open at the same time. */
export const MOST_OPEN_LINKS = 5
/** What a link may be told to take away. */
export const RESETTABLE = ['password', 'authenticator', 'passkeys'] as const

/** Who makes something, for the audit. */
interface Maker {
  /** `cli`, the `sub` of a person, or `client:ID`. */
  readonly by: string
  readonly requestId?: string | undefined
  readonly address?: string | undefined
}

interface NewLink {
  readonly kind: LinkKind
  readonly user: UserRecord
  readonly seconds: number
  /** Of {@link RESETTABLE}. */
  readonly reset: readonly string[]
}

type MadeLink =
  /** `url` is the only place where the secret is. */
  | { readonly kind: 'made'; readonly link: LinkRecord; readonly url: string }
  | { readonly kind: 'too_many' }
  /** An invitation of somebody who has a way in. */
  | { readonly kind: 'has_sign_in' }

/**
 * Makes a one-time link for a person, with its audit line. Whether the maker may is NOT checked.
 * @param origin the issuer's. @param nowMs milliseconds.
 */
export async function makeLink(
  store: Store,
  origin: string,
  { kind, user, seconds, reset }: NewLink,
  maker: Maker,
  nowMs: number,
): Promise<MadeLink> {
  if (kind === 'invite' && (await hasSignIn(store, user))) return { kind: 'has_sign_in' }
  const secret = randomBytes(32).toString('base64url')
  const createdAt = Math.floor(nowMs / 1000)
  const link: LinkRecord = {
    id: `lnk_${randomBytes(12).toString('base64url')}`,
    secretHash: hashOf(secret),
    kind,
    sub: user.sub,
    madeBy: maker.by,
    createdAt,
    expiresAt: createdAt + seconds,
    reset,
  }
  const added = await store.unit(
    async () => {
      if ((await store.addLink(link, MOST_OPEN_LINKS)) === 'too_many') return false
      await store.audit('link.made', { ...linkDetail(link), ...makerDetail(maker) }, createdAt)
      return true
    },
    (done) => done,
  )
  return added ? { kind: 'made', link, url: `${origin}${LINK_PATH}?${LINK_FIELD}=${secret}` } : { kind: 'too_many' }
}

/** Whether the person could sign in, were the account enabled: by a password, a passkey, or at a provider. */
async function hasSignIn(store: Store, user: UserRecord): Promise<boolean> {
  if (user.passwordHash !== undefined || (await store.providerLinks(user.sub)).length > 0) return true
  return (await store.passkeys(user.sub)).length > 0
}

/** A link that works now, and whose. */
export interface LiveLink {
  readonly link: KeptLink
  readonly user: UserRecord
}

/**
 * The link behind a secret; undefined when it is unknown, used, voided or expired, when its maker is no administrator any more, or when
 * the person is gone, disabled, or (for an invitation) has a way in. Uses nothing up.
 * @param adminGroups whose members may make links. @param now NumericDate, seconds.
 */
export async function liveLink(
  store: Store,
  secret: string,
  adminGroups: readonly string[],
  now: number,
): Promise<LiveLink | undefined> {
  if (!SECRET.test(secret)) return undefined
  const link = await store.link(hashOf(secret))
  if (link === undefined || link.state !== 'open' || link.expiresAt <= now) return undefined
  const user = await store.userBySub(link.sub)
  if (user === undefined || user.disabled || !(await stands(store, link.madeBy, adminGroups))) return undefined
  if (link.kind === 'invite' && (await hasSignIn(store, user))) return undefined
  return { link, user }
}

const SECRET = /^[A-Za-z0-9_-]{43}$/

/** Whether who made a link may still let people in. The machine's own commands always may. */
async function stands(store: Store, madeBy: string, adminGroups: readonly string[]): Promise<boolean> {
  if (madeBy === 'cli') return true
  const maker = await store.userBySub(madeBy)
  return maker !== undefined && !maker.disabled && (await isAdmin(store, maker, adminGroups))
}

/** Whether somebody is in one of the groups, here or by what a provider said. */
export async function isAdmin(store: Store, user: UserRecord, adminGroups: readonly string[]): Promise<boolean> {
  if (user.groups.some((group) => adminGroups.includes(group))) return true
  const given = (await store.providerLinks(user.sub)).flatMap(({ groups }) => groups)
  return given.some((group) => adminGroups.includes(group))
}

/** Voids an open link of a person, with its audit line; false when there is none of that id. */
export async function voidLink(store: Store, id: string, sub: string, maker: Maker, nowMs: number): Promise<boolean> {
  return store.unit(
    async () => {
      if (!(await store.voidLink(id, sub))) return false
      await store.audit('link.voided', { link: id, sub, ...makerDetail(maker) }, Math.floor(nowMs / 1000))
      return true
    },
    (done) => done,
  )
}

/** Forgets links whose time is over; those that nobody used leave an audit line. @param now NumericDate, seconds. */
export async function expireLinks(store: Store, now: number): Promise<void> {
  for (const link of await store.takeExpiredLinks(now)) await store.audit('link.expired', linkDetail(link), now)
}

/** What the audit says of a link: never its secret, nor the secret's hash. */
export function linkDetail({ id, kind, sub, expiresAt, reset }: LinkRecord): Readonly<Record<string, unknown>> {
  return { link: id, kind, sub, expires_at: expiresAt, reset }
}

function makerDetail({ by, requestId, address }: Maker): Readonly<Record<string, unknown>> {
  return { by, ...(requestId && { request_id: requestId }), ...(address && { address }) }
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url')
}
