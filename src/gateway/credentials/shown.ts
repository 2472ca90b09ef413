import { isOwnRequest } from '../../core/own-request.ts'
import { APP_PASSWORD_PREFIX, OWN_AUTHORIZATION, readPresented } from '../../core/presented.ts'
import type { Route } from '../../core/route.ts'
import { readBrowserCookie } from '../browser/cookies.ts'
import { originOf, type Policy } from '../policy.ts'
import type { Shown, ShownSession } from '../remembered.ts'
import type { RequestHead } from '../request-head.ts'
import { hashOf } from './app-password-evidence.ts'

const NO_SESSION: ShownSession = { kind: 'none' }

/** What a request's fields show of who it is; the same for every request of a connection that has the same fields. */
export function readShown(policy: Policy, route: Route, host: string, head: RequestHead): Shown {
  const known = head.memo?.shown(policy, route)
  if (known !== undefined) return known
  const { rawHeaders, bearer } = head
  const shown: Shown = {
    policy,
    route,
    presented: bearer === undefined ? readPresented(route, rawHeaders) : undefined,
    hasOwnField: hasOwnField(rawHeaders),
    session: route.credentials.includes('session') ? readSession(policy, route, host, head) : NO_SESSION,
  }
  head.memo?.keepShown(shown)
  return shown
}

/** Whether the token that was told from the fields is all that they show: it needs no second look. */
export function isPlainToken({ route, hasOwnField }: Shown, bearer: string): boolean {
  return (
    !hasOwnField &&
    route.authorization === 'gateway' &&
    route.credentials.includes('token') &&
    !bearer.startsWith(APP_PASSWORD_PREFIX)
  )
}

function readSession(policy: Policy, route: Route, host: string, { method, rawHeaders }: RequestHead): ShownSession {
  const id = readBrowserCookie(policy, rawHeaders, 'web')
  if (id === undefined) return NO_SESSION
  const origin = originOf(policy, host)
  const allowed = route.cors?.credentials === true ? route.cors.origins : []
  if (!isOwnRequest({ method, rawHeaders, origin, allowed })) return { kind: 'foreign' }
  return { kind: 'cookie', idHash: hashOf(id), origin }
}

/** Whether the gateway's own field is there. */
export function hasOwnField(rawHeaders: readonly string[]): boolean {
  const wanted = OWN_AUTHORIZATION
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? ''
    if (name.length === wanted.length && name.toLowerCase() === wanted) return true
  }
  return false
}
