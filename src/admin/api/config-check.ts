import { z } from 'zod'
import { isGranted, type Resource } from '../../core/resource.ts'
import { createKeyedLock } from '../../store/keyed-lock.ts'
import type { UserRecord } from '../../store/store.ts'
import type { AdminDependencies } from '../dependencies.ts'
import { Problem } from '../problem.ts'
import type { App } from './app.ts'
import { everybody } from './groups.ts'

const LARGEST_TEXT = 256 * 1024
const MOST_ROWS = 1_000
/** Texts that are checked or wait for it: each is held in memory, and takes a core for up to seconds. */
const MOST_AT_ONCE = 4

const ROW = z.object({ who: z.string(), resource: z.string(), scope: z.string() })
/** What a file would change. */
export const CHECKED = z.object({
  problems: z.array(z.object({ line: z.number(), column: z.number(), message: z.string() })),
  changes: z.array(z.string()),
  access: z.object({ gains: z.array(ROW), loses: z.array(ROW) }),
})

/** Says what a file would change; nothing is put in force. */
export function addConfigCheck(app: App, dependencies: AdminDependencies): void {
  const { checkConfig, view } = dependencies
  const oneByOne = createKeyedLock()
  const state = { underway: 0 }
  const check = async (text: string) => {
    if (state.underway >= MOST_AT_ONCE)
      throw new Problem(429, 'too_many', 'other files are being checked; try again', {
        headers: { 'Retry-After': '5' },
      })
    state.underway += 1
    try {
      // One after the other: each takes a core for a while.
      return await oneByOne.take('check', () => checkConfig(text))
    } finally {
      state.underway -= 1
    }
  }
  app.post(
    '/config/check',
    {
      config: { access: { scope: 'r' } },
      // The text is bounded below; as JSON it is up to six times as long.
      bodyLimit: 6 * LARGEST_TEXT + 64,
      schema: { body: z.strictObject({ text: z.string() }), response: { 200: CHECKED } },
    },
    async ({ body: { text } }) => {
      if (Buffer.byteLength(text) > LARGEST_TEXT)
        throw new Problem(413, 'body_too_large', 'the text is larger than 256 KiB')
      const { problems, changes, resources } = await check(text)
      const access = { gains: [], loses: [] }
      if (resources === undefined) return { problems: [...problems], changes: [...changes], access }
      return { problems: [], changes: [...changes], access: await differences(dependencies, view().issued, resources) }
    },
  )
}

type Row = z.output<typeof ROW>

/** Who may have more and who less, at most 1,000 lines each. */
async function differences(
  { store }: AdminDependencies,
  before: readonly Resource[],
  after: readonly Resource[],
): Promise<{ gains: Row[]; loses: Row[] }> {
  const gains: Row[] = []
  const loses: Row[] = []
  for await (const user of everybody(store)) {
    const [had, has] = [rightsOf(before, user), rightsOf(after, user)]
    for (const [key, row] of has) if (!had.has(key) && gains.length < MOST_ROWS) gains.push(row)
    for (const [key, row] of had) if (!has.has(key) && loses.length < MOST_ROWS) loses.push(row)
  }
  return { gains, loses }
}

function rightsOf(resources: readonly Resource[], { username, groups }: UserRecord): ReadonlyMap<string, Row> {
  const rights = new Map<string, Row>()
  for (const resource of resources) {
    for (const scope of resource.scopes.keys()) {
      if (!isGranted(resource, groups, scope)) continue
      const row = { who: username, resource: resource.identifier, scope }
      rights.set(`${row.resource} ${scope}`, row)
    }
  }
  return rights
}
