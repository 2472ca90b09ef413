import { groupsNamedBy } from '../core/grants.ts'
import type { Resource } from '../core/resource.ts'
import type { UserRecord } from '../store/store.ts'
import { personClaims } from './people.ts'

/** How and when the person signed in, kept through every refresh (RFC 9068 §2.2.1). */
export interface Authentication {
  readonly authTime: number | undefined
  readonly amr: readonly string[] | undefined
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
    gid,
    username: user.username,
    groups: user.groups.filter((group) => named.includes(group)),
  }
}
