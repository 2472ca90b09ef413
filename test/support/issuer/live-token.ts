import { RevocationTable } from '../../../src/core/revocation.ts'
import { sealVerifiedToken } from '../../../src/core/token.ts'
import type { Store } from '../../../src/store/store.ts'
import { claimsOf } from './browser-less-person.ts'

/** Whether the gateway would let a token of the issuer through now, by what is revoked in the store. Nothing else is looked at. */
export async function isLive(store: Store, token: string | undefined): Promise<boolean> {
  const table = new RevocationTable()
  table.add(await store.revocations(0, Date.now() / 1000))
  const claims = claimsOf(token)
  return !table.isRevoked(
    sealVerifiedToken({
      issuer: String(claims.iss),
      embedded: true,
      subject: String(claims.sub),
      clientId: String(claims.client_id),
      audience: [String(claims.aud)],
      scope: new Set(String(claims.scope).split(' ')),
      expiresAt: Number(claims.exp),
      issuedAt: Number(claims.iat),
      jti: String(claims.jti),
      gid: String(claims.gid),
      username: String(claims.username),
      groups: claims.groups as string[],
      jkt: undefined,
      claims,
    }),
  )
}
