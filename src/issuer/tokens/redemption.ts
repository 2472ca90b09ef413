import type { IncomingMessage } from 'node:http'
import type { Configuration, KoaContextWithOIDC } from 'oidc-provider'
import { groupsNamedBy, type Resource } from '../../core/resource.ts'
import { makeJti } from '../../core/revocation.ts'
import type { UserRecord } from '../../store/store.ts'
import { type IssuerContext, resourceById } from '../context.ts'
import { issuerRequestOf } from '../http/request.ts'
import { personClaims } from '../people/people.ts'
import type { TokenJudgment } from './policy.ts'

/** What a token request came to, noted before anything is spent. */
export type Redemption =
  | {
      readonly kind: 'person'
      readonly judgment: Exclude<TokenJudgment, { kind: 'refused' }>
      /** As the judgment saw the person; what is stamped with its time has to say what it saw. */
      readonly user: UserRecord
      /** All that was granted: resource → scopes. */
      readonly granted: Readonly<Record<string, readonly string[]>>
      readonly grantId: string
      readonly gid: string
      /** The provider that the person signed in with; undefined: none. */
      readonly idp: string | undefined
    }
  | { readonly kind: 'service'; readonly judgment: Extract<TokenJudgment, { kind: 'token' }> }
  /** The client did not hear the answer and asks the same again. */
  | { readonly kind: 'repeat'; readonly answer: Record<string, unknown> }

const noted = new WeakMap<IncomingMessage, Redemption>()

/** Notes what the request in hand may have; the steps after it go by that. */
export function noteRedemption(request: IncomingMessage, redemption: Redemption): void {
  noted.set(request, redemption)
}

/** What was noted; undefined when nothing may be had. */
export function redemptionOf(request: IncomingMessage): Redemption | undefined {
  return noted.get(request)
}

/** How and when the person signed in, kept through every refresh (RFC 9068 §2.2.1). */
export interface Authentication {
  readonly authTime: number | undefined
  readonly amr: readonly string[] | undefined
  readonly acr: string | undefined
  /** The provider that the person signed in with; undefined: none. */
  readonly idp: string | undefined
}

/**
 * The claims of a person's access token beyond those of RFC 9068 §2.2: groups only as far as the resource's grants name them,
 * and of `claims` what the account has.
 */
export function personTokenClaims(
  resource: Resource,
  user: UserRecord,
  authentication: Authentication,
  gid: string,
): Readonly<Record<string, unknown>> {
  const named = groupsNamedBy(resource)
  const known = personClaims(user)
  const further = resource.claims.flatMap((claim) => {
    const value = Object.hasOwn(known, claim) ? known[claim] : undefined
    return value === undefined ? [] : [[claim, value]]
  })
  return {
    ...Object.fromEntries(further),
    auth_time: authentication.authTime,
    amr: authentication.amr,
    acr: authentication.acr,
    idp: authentication.idp,
    gid,
    username: user.username,
    groups: user.groups.filter((group) => named.includes(group)),
  }
}

type ExtraClaims = NonNullable<Configuration['extraTokenClaims']>
type Customize = NonNullable<NonNullable<NonNullable<Configuration['formats']>['customizers']>['jwt']>

/** The claims of access tokens that the library doesn't make (RFC 9068 §2.2), by what the gate has judged. */
export function extraTokenClaims(context: IssuerContext): ExtraClaims {
  return (ctx, token) => {
    const redemption = redemptionOf(ctx.req)
    if (redemption?.kind !== 'person') return undefined
    const resource = resourceById(context.settings().resources, String(token.aud ?? ''))
    return (
      resource &&
      personTokenClaims(resource, redemption.user, { ...authenticationOf(ctx), idp: redemption.idp }, redemption.gid)
    )
  }
}

/**
 * Stamps a token with the time at which its request was here in whole, in milliseconds: what an act of revocation changed
 * before that, this request has read; whatever came later ends the token too.
 */
export const stampToken: Customize = (ctx, token, { payload }) => {
  const { stampMs } = issuerRequestOf(ctx.req)
  const lifetime = Number(payload.exp) - Number(payload.iat)
  const iat = Math.floor(stampMs / 1000)
  Object.assign(payload, { jti: makeJti(stampMs, String(payload.jti)), iat, exp: iat + lifetime })
  Object.assign(token, { jti: payload.jti })
}

function authenticationOf(ctx: KoaContextWithOIDC): Omit<Authentication, 'idp'> {
  const { AuthorizationCode, RefreshToken, DeviceCode } = ctx.oidc.entities
  const source = AuthorizationCode ?? RefreshToken ?? DeviceCode
  return { authTime: source?.authTime, amr: source?.amr, acr: source?.acr }
}
