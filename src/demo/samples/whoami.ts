import type { IncomingMessage } from 'node:http'

/** What a server behind the gateway learns about who calls. */
export interface WhoAmI {
  /** From whichever identity header came; undefined: nobody said. */
  readonly username: string | undefined
  /** Every header by which a gateway says who calls and from where, as received. */
  readonly headers: Readonly<Record<string, string>>
  /** Whether a credential came along. It should not: the caller's token stops at the gateway. The value is never shown. */
  readonly authorization: 'absent' | 'present'
}

const IDENTITY = /^(x-auth-|remote-|x-forwarded-|x-webauth-|x-request-id$|x-real-ip$|forwarded$)/
const NAMES = ['x-auth-username', 'remote-user', 'x-forwarded-preferred-username', 'x-forwarded-user', 'x-webauth-user']

/** Reads the identity headers of a request. Believes them: nobody but the gateway may reach a sample server. */
export function whoAmI({ headers }: IncomingMessage): WhoAmI {
  const shown = Object.entries(headers).filter(([name]) => IDENTITY.test(name))
  const name = NAMES.map((each) => headers[each]).find((value) => typeof value === 'string')
  return {
    username: typeof name === 'string' ? name : undefined,
    headers: Object.fromEntries(shown.map(([key, value]) => [key, String(value)])),
    authorization: headers.authorization === undefined ? 'absent' : 'present',
  }
}

/** The path under which clients reach this server (`X-Forwarded-Prefix`), '' where it is none or not a plain path. */
export function clientPrefix({ headers }: IncomingMessage): string {
  const prefix = headers['x-forwarded-prefix']
  return typeof prefix === 'string' && /^(\/[\w.~-]+)+$/.test(prefix) ? prefix : ''
}
