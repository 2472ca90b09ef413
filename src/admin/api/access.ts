import { z } from 'zod'
import { groupsThatGive, isGranted, type Resource, type Scope } from '../../core/resource.ts'
import type { ClientRecord, UserRecord } from '../../store/store.ts'
import type { AdminDependencies } from '../dependencies.ts'
import { unknownCursor } from '../problem.ts'
import type { App } from './app.ts'
import { clientOf } from './clients.ts'
import { everybody } from './groups.ts'
import { cursorOf, keyOf, listOf, PAGE } from './page.ts'
import { personOf } from './person.ts'

const ROW = z.object({
  who: z.string(),
  sub: z.string().optional(),
  resource: z.string(),
  scope: z.string(),
  given: z.boolean(),
  by: z.array(z.string()).describe('Groups that give it.'),
  client_limits: z.string().optional().describe('What the client keeps from it.'),
})

/** The answer of /access. */
export const ACCESS = listOf(ROW)

const QUERY = z.strictObject({
  ...PAGE,
  person: z.string().max(256).optional(),
  group: z.string().max(64).optional(),
  client: z.string().max(2_048).optional(),
  resource: z.string().max(2_048).optional(),
})

type Row = z.output<typeof ROW>

/** Who may have what. */
export function addAccess(app: App, dependencies: AdminDependencies): void {
  const { store, view } = dependencies
  app.get(
    '/access',
    { config: { access: { scope: 'r' } }, schema: { querystring: QUERY, response: { 200: ACCESS } } },
    async ({ query }) => {
      const resources = view().resources.filter(
        ({ identifier }) => query.resource === undefined || identifier === query.resource,
      )
      const client = query.client === undefined ? undefined : await clientOf(store, query.client)
      const from = placeOf(query.cursor)
      const items: Row[] = []
      const holder = { name: from.name, rows: 0 }
      for await (const row of rowsOf(dependencies, resources, query, client, from.name)) {
        if (row.who !== holder.name) Object.assign(holder, { name: row.who, rows: 0 })
        holder.rows += 1
        if (row.who === from.name && holder.rows <= from.rows) continue
        if (items.length === query.limit) return { items, next: cursorOf(`${holder.rows - 1} ${holder.name}`) }
        items.push(row)
      }
      return { items }
    },
  )
}

/** How many rows of whom have been shown: what comes before them may change meanwhile. */
function placeOf(cursor: string | undefined): { readonly name: string; readonly rows: number } {
  const [rows = '', ...name] = cursor === undefined ? ['0'] : keyOf(cursor, 'string').split(' ')
  if (!/^\d{1,6}$/.test(rows)) throw unknownCursor()
  return { name: name.join(' '), rows: Number(rows) }
}

async function* rowsOf(
  { store }: AdminDependencies,
  resources: readonly Resource[],
  { person, group }: z.output<typeof QUERY>,
  client: ClientRecord | undefined,
  from: string,
): AsyncGenerator<Row> {
  if (client?.type === 'service') return yield* serviceRows(resources, client)
  if (person === undefined && group !== undefined)
    return yield* rowsFor({ who: group, groups: [group] }, resources, client)
  const users = person === undefined ? everybody(store, from) : [await personOf(store, person)]
  for await (const user of users) {
    if (group !== undefined && !user.groups.includes(group)) continue
    yield* rowsFor(asHolder(user), resources, client)
  }
}

interface Holder {
  readonly who: string
  readonly sub?: string
  readonly groups: readonly string[]
}

function asHolder({ username, sub, groups, disabled }: UserRecord): Holder {
  return { who: username, sub, groups: disabled ? [] : groups }
}

function* rowsFor({ who, sub, groups }: Holder, resources: readonly Resource[], client: ClientRecord | undefined) {
  const limits = client?.revoked === true ? { client_limits: 'the client is revoked' } : {}
  for (const resource of resources) {
    for (const scope of resource.scopes.keys()) {
      const by = groupsThatGive(resource, scope).filter((group) => groups.includes(group))
      const given = isGranted(resource, groups, scope) && client?.revoked !== true
      yield rowOf({ who, ...(sub === undefined ? {} : { sub }), given, by, ...limits }, resource, scope)
    }
  }
}

function* serviceRows(resources: readonly Resource[], client: ClientRecord) {
  for (const resource of resources) {
    const allowed = client.allow
      .filter(({ resource: id }) => id === resource.identifier)
      .flatMap(({ scopes }) => scopes)
    for (const scope of resource.scopes.keys()) {
      const given = allowed.includes(scope) && !client.revoked
      const limits = client.revoked ? { client_limits: 'the client is revoked' } : {}
      yield rowOf({ who: client.id, given, by: [], ...limits }, resource, scope)
    }
  }
}

function rowOf(row: Omit<Row, 'resource' | 'scope'>, resource: Resource, scope: Scope): Row {
  return { ...row, resource: resource.identifier, scope }
}
