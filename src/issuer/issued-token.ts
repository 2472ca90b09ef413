import type { Configuration, KoaContextWithOIDC } from 'oidc-provider'
import { makeJti } from '../core/issued.ts'
import { incomingOf } from './incoming.ts'
import { type IssuerContext, resourceById } from './issuer-context.ts'
import { redemptionOf } from './redemption.ts'
import { personTokenClaims } from './token-claims.ts'

type ExtraClaims = NonNullable<Configuration['extraTokenClaims']>
type Customize = NonNullable<NonNullable<NonNullable<Configuration['formats']>['customizers']>['jwt']>

/** The claims of access tokens that the library doesn't make (RFC 9068 §2.2), by what the gate has judged. */
export function extraTokenClaims(context: IssuerContext): ExtraClaims {
  return (ctx, token) => {
    const redemption = redemptionOf(ctx.req)
    if (redemption?.kind !== 'person') return undefined
    const resource = resourceById(context.settings().resources, String(token.aud ?? ''))
    return resource && personTokenClaims(resource, redemption.user, authenticationOf(ctx), redemption.gid)
  }
}

/**
 * Stamps a token with the time at which its request was here in whole, in milliseconds: what an act of revocation changed
 * before that, this request has read; whatever came later ends the token too.
 */
export const stampToken: Customize = (ctx, token, { payload }) => {
  const { stampMs } = incomingOf(ctx.req)
  const lifetime = Number(payload.exp) - Number(payload.iat)
  const iat = Math.floor(stampMs / 1000)
  Object.assign(payload, { jti: makeJti(stampMs, String(payload.jti)), iat, exp: iat + lifetime })
  Object.assign(token, { jti: payload.jti })
}

function authenticationOf(ctx: KoaContextWithOIDC): { authTime: number | undefined; amr: string[] | undefined } {
  const { AuthorizationCode, RefreshToken, DeviceCode } = ctx.oidc.entities
  const source = AuthorizationCode ?? RefreshToken ?? DeviceCode
  return { authTime: source?.authTime, amr: source?.amr }
}
