import { z } from 'zod'

// What the operator's pages read of the API's answers: a page that needs a member finds it here, or fails at once.

const allow = z.record(z.string(), z.array(z.string()))
const gives = z.array(
  z.object({
    resource: z.string(),
    name: z.string(),
    scopes: z.array(z.object({ scope: z.string(), by: z.array(z.string()) })),
  }),
)

/** A list of the API's. */
function listOf<T extends z.ZodType>(item: T) {
  return z.object({ items: z.array(item), next: z.string().optional() })
}

const counts = { ok: z.number(), refused: z.number(), failed: z.number() }

export const OVERVIEW = z.object({
  totals: z.object(counts),
  by_route: z.array(z.object({ ...counts, route: z.string() })),
  by_reason: z.array(z.object({ reason: z.string(), count: z.number() })),
  series: z.array(z.object({ ...counts, at: z.string() })),
  latency: z.object({ p50_ms: z.number().optional(), p95_ms: z.number().optional() }),
  attention: z.array(z.object({ text: z.string(), href: z.string().optional() })),
  kept_since: z.string(),
})

const DECISION = z.object({
  request_id: z.string(),
  at: z.string(),
  route: z.string().optional(),
  method: z.string(),
  host: z.string().optional(),
  path: z.string().optional(),
  status: z.number().optional(),
  outcome: z.string(),
  reason: z.string().optional(),
  detail: z.string().optional(),
  sub: z.string().optional(),
  username: z.string().optional(),
  client: z.string().optional(),
  address: z.string().optional(),
  resource: z.string().optional(),
  total_ms: z.number().optional(),
})
export type Decision = z.output<typeof DECISION>
export const DECISIONS = listOf(DECISION).extend({ kept_since: z.string() })

const CHECK = z.object({ name: z.string(), good: z.boolean(), expected: z.string(), got: z.string() })
const verdict = { outcome: z.string(), reason: z.string().nullish() }
export const ONE_DECISION = DECISION.extend({
  checks: z.array(CHECK),
  help: z.array(z.string()),
  now: z.object(verdict),
  like_this: z.object({ count: z.number(), since: z.string() }),
})

export const TRIED = z.object({
  issue: z.object({
    given: z.array(z.string()),
    left_out: z.array(z.object({ scope: z.string(), why: z.string() })),
  }),
  claims: z.unknown(),
  decision: z.object({ ...verdict, checks: z.array(CHECK), upstream: z.unknown().nullish() }).nullish(),
})

const PERSON = z.object({
  sub: z.string(),
  username: z.string(),
  name: z.string().nullish(),
  email: z.string().nullish(),
  groups: z.array(z.string()),
  state: z.string(),
  created_at: z.string(),
})
export const PEOPLE = listOf(PERSON)
export const ONE_PERSON = PERSON.extend({
  gives,
  links: z.array(
    z.object({
      id: z.string(),
      kind: z.string(),
      by: z.string(),
      maker: z.string().optional(),
      expires_at: z.string(),
    }),
  ),
})
export const FACTORS = listOf(
  z.object({ id: z.string(), kind: z.string(), name: z.string().nullish(), left: z.number().optional() }),
)
export const SESSIONS = listOf(
  z.object({
    id: z.string(),
    browser: z.string().nullish(),
    address: z.string().nullish(),
    since: z.string().nullish(),
    seen: z.string().nullish(),
    until: z.string().nullish(),
  }),
)
export const GROUPS = listOf(z.object({ name: z.string(), members: z.number(), gives }))

const CLIENT = z.object({
  id: z.string(),
  type: z.string(),
  name: z.string(),
  redirect_uris: z.array(z.string()),
  third_party: z.boolean(),
  origin: z.string(),
  allow,
  state: z.string(),
  created_at: z.string(),
})
export const CLIENTS = listOf(CLIENT)
export const ONE_CLIENT = CLIENT.extend({
  secrets: z.array(z.object({ id: z.string(), created_at: z.string(), last_used_at: z.string().nullish() })),
})

export const AUTHORIZATIONS = listOf(
  z.object({
    gid: z.string(),
    sub: z.string(),
    username: z.string().optional(),
    client: z.string(),
    resources: allow,
    label: z.string(),
    since: z.string(),
    last_used_at: z.string().optional(),
  }),
)

export const AUDIT = listOf(
  z.object({
    id: z.number(),
    at: z.string(),
    event: z.string(),
    origin: z.string(),
    detail: z.record(z.string(), z.unknown()),
    names: z.record(z.string(), z.string()).default({}),
  }),
)

export const ROUTE = z.object({
  id: z.string(),
  line: z.number().optional(),
  host: z.string().optional(),
  path: z.string(),
  access: z.string(),
  resource: z.string().optional(),
  public_paths: z.array(z.string()),
  rules: z.array(
    z.object({
      methods: z.array(z.string()),
      paths: z.array(z.string()),
      scopes: z.array(z.string()),
      groups: z.array(z.object({ scope: z.string(), groups: z.array(z.string()) })),
    }),
  ),
  upstreams: z.array(z.object({ url: z.string(), state: z.string() })),
  credentials: z.array(z.string()),
  set_headers: z.array(z.object({ name: z.string(), value: z.string() })),
})
export const ROUTES = listOf(ROUTE)

export const ACCESS = listOf(
  z.object({
    who: z.string(),
    resource: z.string(),
    scope: z.string(),
    given: z.boolean(),
    by: z.array(z.string()),
    client_limits: z.string().optional(),
  }),
)

export const SYSTEM = z.object({
  version: z.string(),
  started_at: z.string(),
  workers: z.number(),
  config: z.object({
    file: z.string(),
    digest: z.string(),
    since: z.string(),
    last_refused: z.object({ at: z.string(), problems: z.array(z.unknown()) }).optional(),
    restart_for: z.array(z.string()),
  }),
  store: z.object({ kind: z.string(), fault: z.string().optional() }),
  feed: z.object({ followers: z.number() }),
})
export const KEYS = listOf(
  z.object({ kid: z.string(), alg: z.string(), state: z.string(), since: z.string(), until: z.string().optional() }),
)
export const CHECKED = z.object({
  problems: z.array(z.object({ line: z.number(), column: z.number(), message: z.string() })),
  changes: z.array(z.string()),
  access: z.object({ gains: z.array(z.unknown()), loses: z.array(z.unknown()) }).nullish(),
})
