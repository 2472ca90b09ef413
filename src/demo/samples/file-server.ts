import type { IncomingMessage, ServerResponse } from 'node:http'
import type { DavServer } from './dav-call.ts'
import { createLocks } from './dav-locks.ts'
import { davMethods } from './dav-methods.ts'
import { davPath } from './dav-path.ts'
import { sampleFiles } from './sample-files.ts'
import { whoAmI } from './sample-page.ts'
import { Refusal, type SampleOptions, type SampleServer, sendJson, startSample, targetOf } from './sample-server.ts'

/**
 * A sample file server that knows nothing of tokens: WebDAV (RFC 4918, classes 1 and 2) over files in memory. A folder answers GET
 * with a page, or with JSON for programs. `GET /whoami` the identity headers that it received, `GET /healthz`; both names
 * are taken.
 */
export function startFileServer(options: SampleOptions): Promise<SampleServer> {
  const server: DavServer = { root: sampleFiles(), locks: createLocks() }
  return startSample((request, response) => answer(server, request, response), options)
}

async function answer(server: DavServer, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname } = targetOf(request)
  if (pathname === '/whoami') return sendJson(response, 200, whoAmI(request))
  if (pathname === '/healthz') return sendJson(response, 200, { status: 'ok' })
  const method = davMethods.get(request.method ?? '')
  if (method === undefined) {
    response.setHeader('allow', [...davMethods.keys()].join(', '))
    throw new Refusal(405, 'this server does not know that method')
  }
  await method({ ...server, path: davPath(pathname), request, response })
}
