import type { IncomingMessage, ServerResponse } from 'node:http'
import type { IssuerContext } from './context.ts'
import { ROUTES } from './http/endpoints.ts'
import { issuerRequestOf } from './http/request.ts'
import { refusalOf } from './http/response.ts'

/** What a refusal at each endpoint is called; what stands below an endpoint's path is the endpoint's. */
const EVENTS: readonly (readonly [path: string, event: string])[] = [
  [ROUTES.registration, 'registration.refused'],
  [ROUTES.device_authorization, 'device.refused'],
  [ROUTES.code_verification, 'user_code.refused'],
  [ROUTES.pushed_authorization_request, 'authorization.refused'],
  [ROUTES.authorization, 'authorization.refused'],
  [ROUTES.token, 'token.refused'],
  [ROUTES.revocation, 'revocation.refused'],
  [ROUTES.introspection, 'introspection.refused'],
  [ROUTES.userinfo, 'userinfo.refused'],
  [ROUTES.end_session, 'logout.refused'],
  ['/oauth/interaction', 'interaction.refused'],
  ['/oauth/providers', 'federation.refused'],
  ['/account', 'account.refused'],
]

/**
 * Keeps the line of a refusal that no step has kept one of: whatever an endpoint refuses is heard of once. What isn't there (404)
 * and faults of ours (5xx, told where they happen) are none.
 * @param path as it came, before anything rewrote it.
 */
export async function recordRefusal(
  context: IssuerContext,
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
): Promise<void> {
  const status = response.statusCode
  if (!response.headersSent || status < 400 || status === 404 || status >= 500) return
  const event = EVENTS.find(([under]) => path === under || path.startsWith(`${under}/`))?.[1] ?? 'request.refused'
  const { error, description } = refusalOf(response) ?? {}
  const { address } = issuerRequestOf(request)
  await context.record(event, { method: request.method, status, error, description, address })
}
