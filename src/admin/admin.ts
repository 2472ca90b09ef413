import { AsyncLocalStorage } from 'node:async_hooks'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { z } from 'zod'
import { addAccess } from './api/access.ts'
import { API_PREFIX, type App, createApp } from './api/app.ts'
import { addAudit } from './api/audit.ts'
import { addAuthorizationReads } from './api/authorizations.ts'
import { addClientWrites } from './api/client-writes.ts'
import { addClientReads } from './api/clients.ts'
import { addConfigCheck } from './api/config-check.ts'
import { addDecisions } from './api/decisions.ts'
import { addEndings } from './api/endings.ts'
import { addFactors } from './api/factors.ts'
import { addGroups } from './api/groups.ts'
import { addLinks } from './api/links.ts'
import { addOverview } from './api/overview.ts'
import { addPeopleReads } from './api/people.ts'
import { addPeopleWrites } from './api/people-writes.ts'
import { addPolicyReads } from './api/policy-reads.ts'
import { addStream } from './api/stream.ts'
import { addSystem } from './api/system.ts'
import { addTry } from './api/try.ts'
import type { Caller } from './caller.ts'
import type { AdminDependencies } from './dependencies.ts'
import { createTrafficSeries, type TrafficSeries } from './traffic.ts'

/** A call from this process. */
export interface AdminCall {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Below `/admin/api/v1`, with its query. */
  readonly path: string
  readonly body?: object | undefined
  readonly headers?: Readonly<Record<string, string>>
}

export interface AdminAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** What the JSON says; undefined where there is none. */
  readonly body: unknown
  /** As it was sent. */
  readonly text: string
}

/** The operator's API. */
export interface Admin {
  /** Answers a request that has been judged: its caller may come in. */
  handle(request: IncomingMessage, response: ServerResponse, caller: Caller): void
  /** The same for a call from this process. The token has been judged for this very method and path. */
  call(call: AdminCall, caller: Caller): Promise<AdminAnswer>
  close(): Promise<void>
}

/** The API on what is handed in; listens on nothing by itself. */
export async function createAdmin(dependencies: AdminDependencies): Promise<Admin> {
  const callers = new AsyncLocalStorage<Caller>()
  const app = await createApp(dependencies, callers)
  const description: Description = { value: {} }
  const series = createTrafficSeries(dependencies.traffic, dependencies.now)
  await app.register(async (api: App) => addOperations(api, dependencies, series, description), { prefix: API_PREFIX })
  await app.ready()
  description.value = { ...app.swagger() }
  return {
    handle: (request, response, caller) => callers.run(caller, () => app.routing(request, response)),
    call: async ({ method, path, body, headers = {} }, caller) => {
      // It begins when it is waited for: that has to happen in here.
      const answer = await callers.run(
        caller,
        async () =>
          await app.inject({
            method,
            url: `${API_PREFIX}${path}`,
            headers,
            ...(body === undefined ? {} : { payload: body }),
          }),
      )
      const text = answer.body
      const fields = Object.entries(answer.headers).map(([name, value]) => [name, String(value)] as const)
      return {
        status: answer.statusCode,
        headers: Object.fromEntries(fields),
        body: text === '' ? undefined : read(text),
        text,
      }
    },
    close: async () => {
      series.close()
      await app.close()
    },
  }
}

/** What the API says of itself: made once, when all of it is there. */
interface Description {
  value: Record<string, unknown>
}

function addOperations(
  app: App,
  dependencies: AdminDependencies,
  series: TrafficSeries,
  description: Description,
): void {
  addOverview(app, dependencies, series)
  addDecisions(app, dependencies)
  addPolicyReads(app, dependencies)
  addAccess(app, dependencies)
  addPeopleReads(app, dependencies)
  addGroups(app, dependencies)
  addClientReads(app, dependencies)
  addAuthorizationReads(app, dependencies)
  addAudit(app, dependencies)
  addSystem(app, dependencies)
  addPeopleWrites(app, dependencies)
  addClientWrites(app, dependencies)
  addEndings(app, dependencies)
  addLinks(app, dependencies)
  addFactors(app, dependencies)
  addTry(app, dependencies)
  addConfigCheck(app, dependencies)
  addStream(app, dependencies)
  app.get(
    '/openapi.json',
    {
      config: { access: { scope: 'r' } },
      schema: { querystring: z.strictObject({}), response: { 200: z.record(z.string(), z.unknown()) } },
    },
    async () => description.value,
  )
}

function read(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
