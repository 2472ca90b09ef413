import { errors, type KoaContextWithOIDC } from 'oidc-provider'
import type { IssuerContext } from '../context.ts'
import type { Standing } from '../federation/federation.ts'
import { findPerson, type Person } from '../people/people.ts'
import { redemptionOf } from '../tokens/redemption.ts'

/** Endpoints that a browser's session answers at; elsewhere an authorization speaks for the person. */
const BY_SESSION: ReadonlySet<string> = new Set(['authorization', 'resume', 'code_verification', 'device_resume'])

const standings = new WeakMap<KoaContextWithOIDC, Standing>()

/** What the session of the request in hand is worth, as {@link findSignedIn} found it. */
export function standingOf(ctx: KoaContextWithOIDC): Standing {
  return standings.get(ctx) ?? { kind: 'own' }
}

/**
 * The account for the library. Where a browser session that began at a provider answers, the provider's word must be fresh: a session
 * that has ended there is forgotten here, and the person asked to sign in. Throws the library's error while that can't be told.
 */
export function findSignedIn(context: IssuerContext) {
  return async (ctx: KoaContextWithOIDC, sub: string): Promise<Person | undefined> => {
    const { session, route } = ctx.oidc
    if (session === undefined || !BY_SESSION.has(route)) return withProvider(ctx, await findPerson(context.store, sub))
    const login = ctx.oidc.result?.login
    if (login !== undefined) await context.store.bindSession(session.uid, signInOf(login))
    const standing = await context.federation.standingOfSession(session.uid, 'refresh')
    standings.set(ctx, standing)
    if (standing.kind === 'unavailable') {
      throw new errors.TemporarilyUnavailable('the provider of this sign-in does not answer; try again later')
    }
    if (standing.kind !== 'ended') return findPerson(context.store, sub)
    // Not saved again by the library, and nobody's from here on.
    await session.destroy()
    Reflect.deleteProperty(session, 'accountId')
    return undefined
  }
}

/** Says in the ID token by which provider the person signed in, as the access token does. */
function withProvider(ctx: KoaContextWithOIDC, person: Person | undefined): Person | undefined {
  if (person === undefined) return undefined
  return {
    ...person,
    claims: async (...asked) => {
      const claims = await person.claims(...asked)
      const redemption = redemptionOf(ctx.req)
      const idp = redemption?.kind === 'person' ? redemption.idp : undefined
      return idp === undefined ? claims : { ...claims, idp }
    },
  }
}

function signInOf(login: object): string | undefined {
  return 'signIn' in login && typeof login.signIn === 'string' ? login.signIn : undefined
}
