import { type Level, reaches } from '../../core/levels.ts'
import type { Store, UserRecord } from '../../store/store.ts'
import type { FactorStanding } from './second-factors.ts'

/** What of routes.yaml says how somebody may come in. */
export interface WaysSettings {
  readonly password: 'on' | 'hidden' | 'off'
  readonly providers: readonly { readonly issuer: string }[]
}

/** How long a sign-in is good for what changes the ways in, seconds. */
export const FRESH_SECONDS = 600

/** Ways to sign in that an account has and that can be used now. */
interface Ways {
  readonly password: boolean
  readonly passkeys: number
  /** Providers of the file in force, by issuer. */
  readonly providers: readonly string[]
}

/** How somebody signed in here (RFC 8176), and the level of it. */
export const METHODS = {
  password: ['pwd'],
  code: ['pwd', 'otp', 'mfa'],
  recovery: ['pwd', 'mfa'],
  passkey: ['pop', 'user', 'mfa'],
} as const

/** @param offered whether passkeys are. */
export async function waysOf(
  store: Pick<Store, 'passkeys' | 'providerLinks'>,
  { sub, passwordHash }: UserRecord,
  { password, providers }: WaysSettings,
  offered: boolean,
): Promise<Ways> {
  const links = await store.providerLinks(sub)
  return {
    password: password !== 'off' && passwordHash !== undefined,
    passkeys: offered ? (await store.passkeys(sub)).length : 0,
    providers: links.flatMap(({ issuer }) => (providers.some((each) => each.issuer === issuer) ? [issuer] : [])),
  }
}

/**
 * Whether somebody who said that another was signed in as them has to choose a new password before anything else; nobody who has none that can
 * be used, for they could choose none.
 */
export async function isPasswordDue(
  store: Pick<Store, 'passwordDue'>,
  { sub, passwordHash }: UserRecord,
  { password }: Pick<WaysSettings, 'password'>,
): Promise<boolean> {
  return passwordHash !== undefined && password !== 'off' && (await store.passwordDue(sub))
}

/** Whether the person must have a second factor. @param groups provider's groups among them. */
export function mustHaveSecond(
  secondFactor: 'optional' | 'required' | readonly string[],
  groups: readonly string[],
): boolean {
  if (typeof secondFactor === 'string') return secondFactor === 'required'
  return groups.some((group) => secondFactor.includes(group))
}

/** Whether the account has anything beside a password. */
export function hasSecond({ app, passkeys }: FactorStanding): boolean {
  return app || passkeys.length > 0
}

/** The best level that an account can sign in at. @param offered whether passkeys are. */
export function bestLevel(standing: FactorStanding, offered: boolean): Level {
  if (offered && standing.passkeys.length > 0) return 'phr'
  return hasSecond(standing) ? 'mfa' : 'pwd'
}

/** Whether a sign-in of `level` is as good as any of the account's. Those at a provider that say no level are a password's worth. */
export function isBest(level: Level | undefined, standing: FactorStanding, offered: boolean): boolean {
  const best = bestLevel(standing, offered)
  return best === 'pwd' || reaches(level, best)
}

/** The level of a sign-in of this issuer's own; undefined: none of its own. */
export function levelOfMethods(amr: readonly string[]): Level | undefined {
  if (amr.includes('pop')) return 'phr'
  if (amr.includes('mfa')) return 'mfa'
  return amr.includes('pwd') ? 'pwd' : undefined
}
