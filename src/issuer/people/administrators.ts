import type { Store, UserRecord } from '../../store/store.ts'
import { type WaysSettings, waysOf } from './factor-rules.ts'
import { isAdmin } from './links.ts'

export interface AdministratorRules {
  /** Whose members are administrators. */
  readonly adminGroups: readonly string[]
  readonly ways: WaysSettings
  /** Whether passkeys are. */
  readonly offered: boolean
}

const SLICE = 500

/** Whether the person could sign in by what routes.yaml says now, were the account enabled. */
export async function canSignIn(
  store: Store,
  user: UserRecord,
  { ways, offered }: Pick<AdministratorRules, 'ways' | 'offered'>,
): Promise<boolean> {
  const { password, passkeys, providers } = await waysOf(store, user, ways, offered)
  return password || passkeys > 0 || providers.length > 0
}

/** Whether somebody is an administrator and can sign in. @param except Somebody who doesn't count. */
export async function hasAdministrator(store: Store, rules: AdministratorRules, except?: string): Promise<boolean> {
  for (let after: string | undefined = ''; after !== undefined; ) {
    const users: readonly UserRecord[] = await store.usersAfter(after, SLICE)
    for (const user of users) {
      if (user.disabled || user.sub === except) continue
      if ((await isAdmin(store, user, rules.adminGroups)) && (await canSignIn(store, user, rules))) return true
    }
    after = users.length < SLICE ? undefined : users.at(-1)?.username
  }
  return false
}
