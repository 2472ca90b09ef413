import { z } from 'zod'
import { FILE } from './file-schema.ts'

/** Where a value may come from the environment, an editor must take the reference for it. */
const REFERENCE = { type: 'string', pattern: '\\$\\{' } as const

/** JSON Schema 2020-12 of routes.yaml as it is written, for editors. Does NOT hold what needs several keys; `check` does. */
export function jsonSchema(): Readonly<Record<string, unknown>> {
  return z.toJSONSchema(FILE, {
    target: 'draft-2020-12',
    io: 'input',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema: schema }) => {
      const { type } = zodSchema._zod.def
      if (type !== 'boolean' && type !== 'number' && type !== 'enum') return
      const { description, ...plain } = schema
      for (const key of Object.keys(plain)) delete schema[key]
      schema.anyOf = [plain, REFERENCE]
    },
  })
}
