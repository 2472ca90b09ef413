import { jsonSchemaTransform } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { Access } from './demand.ts'

type Transform = typeof jsonSchemaTransform

/** What every refusal is (RFC 9457). */
const PROBLEM = z.looseObject({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  reason: z.string(),
  request_id: z.string(),
  errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
})

const REFUSAL = {
  description: 'A problem; `reason` is for programs.',
  content: { 'application/problem+json': { schema: z.toJSONSchema(PROBLEM) } },
}

const IF_MATCH = { type: 'string', description: 'The ETag of what was seen; 428 without, 412 when it has changed.' }
const IF_NONE_MATCH = { type: 'string', const: '*', description: 'Makes it; 409 `exists` where there is one.' }

/** Fields of requests that operations go by. */
const FIELDS: Readonly<Record<string, object>> = {
  'PATCH /people/:sub': { required: ['if-match'], properties: { 'if-match': IF_MATCH } },
  'DELETE /clients/:id': { required: ['if-match'], properties: { 'if-match': IF_MATCH } },
  'PUT /clients/:id': { properties: { 'if-match': IF_MATCH, 'if-none-match': IF_NONE_MATCH } },
  'GET /decisions/stream': { properties: { 'last-event-id': { type: 'string', pattern: '^\\d{1,15}$' } } },
}

/** What is answered beside JSON, or in its place. */
const MEDIA: Readonly<Record<string, readonly string[]>> = {
  'GET /decisions/stream': ['text/event-stream'],
  'GET /audit': ['application/json', 'text/csv', 'application/x-ndjson'],
}

/** Describes one operation: what its schemas say, and what they can't. @param prefix What all paths begin with. */
export function describeOperation(prefix: string): Transform {
  return (input) => {
    const { schema, url } = jsonSchemaTransform(input)
    const { method, config } = input.route
    const name = `${[method].flat()[0]} ${url.slice(prefix.length)}`
    const access: Access | undefined = config?.access
    const fields = FIELDS[name] === undefined ? {} : { headers: { type: 'object', ...FIELDS[name] } }
    const told = { ...(access === undefined ? {} : accessOf(access)), ...fields }
    return { url, schema: { ...schema, ...told, response: { ...answersOf(schema, MEDIA[name]), ...REFUSALS } } }
  }
}

const REFUSALS = { '4XX': REFUSAL, '5XX': REFUSAL }

function accessOf({ scope, fresh, persons }: Access): object {
  const needed = scope === 'r' ? 'admin:read' : 'admin:write'
  const further = [
    ...(fresh === true ? ['a fresh sign-in (401 `insufficient_authentication`)'] : []),
    ...(persons === true ? ['a person (403 `persons_only`)'] : []),
  ]
  return {
    description: `Needs ${[`the scope \`${needed}\``, ...further].join(', ')}.`,
    security: [{ token: [needed] }],
  }
}

/** The good answers; each in all the forms that there are. */
function answersOf(schema: unknown, media: readonly string[] | undefined): object {
  const answers: unknown = typeof schema === 'object' && schema !== null ? Reflect.get(schema, 'response') : undefined
  if (typeof answers !== 'object' || answers === null) return {}
  if (media === undefined) return answers
  const inForm = (form: string, answer: unknown) => [form, { schema: form.endsWith('/json') ? answer : TEXT }] as const
  return Object.fromEntries(
    Object.entries(answers).map(([status, answer]) => [
      status,
      { description: 'Default Response', content: Object.fromEntries(media.map((form) => inForm(form, answer))) },
    ]),
  )
}

const TEXT = { type: 'string' }
