import { z } from 'zod'
import { groupsNamedBy } from '../../core/resource.ts'
import type { UserRecord } from '../../store/store.ts'
import type { AdminDependencies } from '../dependencies.ts'
import { nextSlice } from '../pace.ts'
import type { App } from './app.ts'
import { listOf, PAGE, pageOf } from './page.ts'
import { GIVES, givesOf } from './people.ts'

const SLICE = 100

const GROUP = z.object({
  name: z.string(),
  members: z.number().describe('People in it.'),
  gives: z.array(GIVES),
})

/** The answer of /groups. */
export const GROUPS = listOf(GROUP)

/** Groups: those that people are in, and those that the file names. */
export function addGroups(app: App, dependencies: AdminDependencies): void {
  const { store, view } = dependencies
  app.get(
    '/groups',
    {
      config: { access: { scope: 'r' } },
      schema: { querystring: z.strictObject(PAGE), response: { 200: GROUPS } },
    },
    async ({ query }) => {
      const { resources } = view()
      const members = new Map<string, number>(resources.flatMap(groupsNamedBy).map((group) => [group, 0]))
      for await (const user of everybody(store)) {
        for (const group of user.groups) members.set(group, (members.get(group) ?? 0) + 1)
      }
      const names = [...members.keys()].sort()
      const { items, ...rest } = pageOf(names, (name) => name, query)
      return {
        items: items.map((name) => ({ name, members: members.get(name) ?? 0, gives: givesOf(resources, [name]) })),
        ...rest,
      }
    },
  )
}

/** All people in the order of their names, slice by slice. @param from Begins with that one; '' with the first. */
export async function* everybody(store: AdminDependencies['store'], from = ''): AsyncGenerator<UserRecord> {
  const first = from === '' ? undefined : await store.userByName(from)
  if (first !== undefined) yield first
  for (let after = from; ; ) {
    await nextSlice()
    const users = await store.usersAfter(after, SLICE)
    yield* users
    const last = users.at(-1)
    if (last === undefined || users.length < SLICE) return
    after = last.username
  }
}
