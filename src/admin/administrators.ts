import type { UserRecord } from '../store/store.ts'
import type { AdminDependencies } from './dependencies.ts'
import { conflict } from './problem.ts'

/** Whether these groups make an administrator, or a reader. */
export function touchesAdmins({ view }: Pick<AdminDependencies, 'view'>, groups: readonly string[]): boolean {
  const { groups: admins, readers } = view()
  return groups.some((group) => admins.includes(group) || readers.includes(group))
}

/** Throws the problem where nobody but `user` could administer any more. */
export async function demandAnother({ issuer, view }: AdminDependencies, user: UserRecord): Promise<void> {
  const { groups: admins } = view()
  if (user.disabled || !user.groups.some((group) => admins.includes(group))) return
  if (!(await issuer.canSignIn(user)) || (await issuer.hasAdministrator(user.sub))) return
  throw conflict('last_admin', `${user.username} is the last administrator who can sign in; make another one first`)
}
