import type { IncomingMessage, ServerResponse } from 'node:http'
import type Provider from 'oidc-provider'
import { lookupKey } from '../../store/sealed-payload.ts'
import type { UserRecord } from '../../store/store.ts'
import { type IssuerContext, seconds } from '../context.ts'
import { cookieSettings } from '../http/cookies.ts'
import { endedMeanwhile } from '../http/ended-meanwhile.ts'
import { levelOfMethods } from '../people/factor-rules.ts'
import { withGroups } from '../tokens/provider-standing.ts'
import { noteSession } from '../tokens/session-facts.ts'

/** Who a browser is signed in as. */
export interface BrowserSession {
  /** Names the session; is not what the cookie holds. */
  readonly uid: string
  /** With the groups that count in what comes from this session. */
  readonly user: UserRecord
  /** NumericDate, seconds. */
  readonly signedInAt: number
  /** The level of the sign-in, in the words of whoever it was at; undefined: it is not said. */
  readonly acr: string | undefined
  /** Whether the sign-in was here; else it was at a provider. */
  readonly own: boolean
}

/** How somebody signed in, where it wasn't here a moment ago. */
export interface SessionOrigin {
  /** NumericDate, seconds. */
  readonly authTime: number
  readonly acr: string | undefined
  /** The sign-in by a provider; undefined: it was here. */
  readonly signIn: string | undefined
}

/** The browser's session at the issuer: the same one that authorizations go by. */
export interface BrowserSessions {
  /** Undefined: nobody is signed in, or the account is gone or disabled. */
  current(request: IncomingMessage, response: ServerResponse): Promise<BrowserSession | undefined>
  /**
   * Ends the browser's session, should it have one, and begins another under a new id; false when an act of revocation has
   * ended all of the person's since the request came in. Whether the person may is NOT checked.
   */
  begin(
    request: IncomingMessage,
    response: ServerResponse,
    sub: string,
    amr: readonly string[] | undefined,
    origin?: SessionOrigin,
  ): Promise<boolean>
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
      const standing = await context.federation.lastOfSession(session.uid)
      if (user === undefined || user.disabled || standing.kind === 'ended') return undefined
      const facts = { uid: session.uid, sub: user.sub, signedInAt: session.loginTs ?? 0, seconds: idleSeconds }
      if (!(await noteSession(context, request, facts))) return undefined
      const { uid, acr } = session
      const own = standing.kind === 'own'
      return { uid, user: withGroups(user, standing), signedInAt: session.loginTs ?? 0, acr, own }
    },
    begin: async (request, response, sub, amr, origin) => {
      const before = await provider.Session.get(provider.createContext(request, response))
      await end(request, response)
      const session = new provider.Session()
      // What the same person has open at the gateway's hosts goes on under the new session.
      if (before.accountId === sub) await context.store.moveIssuerSession(lookupKey(before.uid), lookupKey(session.uid))
      const acr = origin === undefined ? levelOfMethods(amr ?? []) : origin.acr
      const how = { ...(amr && { amr: [...amr] }), ...(acr !== undefined && { acr }) }
      session.loginAccount({ accountId: sub, ...how, loginTs: origin?.authTime ?? seconds(context) })
      if (origin?.signIn !== undefined) await context.store.bindSession(session.uid, origin.signIn)
      await session.save(idleSeconds)
      const facts = { uid: session.uid, sub, signedInAt: session.loginTs ?? 0, seconds: idleSeconds }
      await noteSession(context, request, facts)
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
