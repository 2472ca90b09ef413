import type { UserRecord } from '../store/store.ts'
import { everybody } from './api/groups.ts'
import type { AdminDependencies } from './dependencies.ts'
import { conflict } from './problem.ts'

/** Whether these groups make an administrator, or a reader. */
export function touchesAdmins({ view }: Pick<AdminDependencies, 'view'>, groups: readonly string[]): boolean {
  const { groups: admins, readers } = view()
  return groups.some((group) => admins.includes(group) || readers.includes(group))
}

/** Throws the problem where nobody but `user` could administer any more. */
export async function demandAnother({ store, view }: AdminDependencies, user: UserRecord): Promise<void> {
  const { groups: admins } = view()
  const isAdmin = ({ groups, disabled, passwordHash }: UserRecord): boolean =>
    !disabled && passwordHash !== undefined && groups.some((group) => admins.includes(group))
  if (!isAdmin(user)) return
  for await (const other of everybody(store)) {
    if (other.sub !== user.sub && isAdmin(other)) return
  }
  throw conflict('last_admin', `${user.username} is the last administrator who can sign in; make another one first`)
}
