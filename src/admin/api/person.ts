import { z } from 'zod'
import type { Store, UserRecord } from '../../store/store.ts'
import { notFound } from '../problem.ts'

/** The person that a query or body names: by `sub`, or by user name. */
async function findPerson(store: Store, named: string): Promise<UserRecord | undefined> {
  return (await store.userBySub(named)) ?? (await store.userByName(named))
}

/** As {@link findPerson}; throws the problem where there is none. */
export async function personOf(store: Store, named: string): Promise<UserRecord> {
  const user = await findPerson(store, named)
  if (user === undefined) throw notFound('person')
  return user
}

/** As {@link personOf}, for filters: undefined for no filter, and what nobody is called finds nothing. */
export async function subOf(store: Store, named: string | undefined): Promise<string | undefined> {
  if (named === undefined) return undefined
  return (await findPerson(store, named))?.sub ?? named
}

/** The part of a path that names a person. */
export const SUB = z.strictObject({ sub: z.string().max(256) })
