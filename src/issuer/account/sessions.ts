import type { IncomingMessage, ServerResponse } from 'node:http'
import type Provider from 'oidc-provider'
import type { UserRecord } from '../../store/store.ts'
import { type IssuerContext, seconds } from '../context.ts'
import { cookieSettings } from '../http/cookies.ts'
import { endedMeanwhile } from '../http/ended-meanwhile.ts'

/** Who a browser is signed in as. */
export interface BrowserSession {
  /** Names the session; is not what the cookie holds. */
  readonly uid: string
  readonly user: UserRecord
}

/** The browser's session at the issuer: the same one that authorizations go by. */
export interface BrowserSessions {
  /** Undefined: nobody is signed in, or the account is gone or disabled. */
  current(request: IncomingMessage, response: ServerResponse): Promise<BrowserSession | undefined>
  /**
   * Ends the browser's session, should it have one, and begins another under a new id; false when an act of revocation has
   * ended all of the person's since the request came in. Whether the person may is NOT checked.
   */
  begin(request: IncomingMessage, response: ServerResponse, sub: string, amr: readonly string[]): Promise<boolean>
  end(request: IncomingMessage, response: ServerResponse): Promise<void>
}

/**
 * Sessions as the library keeps them.
 * @param idleSeconds how long one lasts that is not used.
 */
export function browserSessions(context: IssuerContext, provider: Provider, idleSeconds: number): BrowserSessions {
  const end = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const ctx = provider.createContext(request, response)
    const session = await provider.Session.get(ctx)
    if (session.accountId !== undefined) await session.destroy()
    ctx.cookies.set(provider.cookieName('session'), null, cookieSettings(context).long)
  }
  return {
    current: async (request, response) => {
      const session = await provider.Session.get(provider.createContext(request, response))
      if (session.accountId === undefined) return undefined
      const user = await context.store.userBySub(session.accountId)
      return user === undefined || user.disabled ? undefined : { uid: session.uid, user }
    },
    begin: async (request, response, sub, amr) => {
      await end(request, response)
      const session = new provider.Session()
      session.loginAccount({ accountId: sub, amr: [...amr], loginTs: seconds(context) })
      await session.save(idleSeconds)
      if (await endedMeanwhile(context, request, { sub, clientId: undefined })) {
        await session.destroy()
        return false
      }
      const ctx = provider.createContext(request, response)
      const expires = new Date(session.exp * 1000)
      ctx.cookies.set(provider.cookieName('session'), session.jti, { ...cookieSettings(context).long, expires })
      return true
    },
    end,
  }
}
