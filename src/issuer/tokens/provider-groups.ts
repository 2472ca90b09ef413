import type { UserRecord } from '../../store/store.ts'
import type { Standing } from '../federation/standing.ts'

/** The person with the groups that count in what came from this sign-in: those set here, and the provider's. */
export function withGroups(user: UserRecord, standing: Standing): UserRecord {
  if (standing.kind !== 'good') return user
  return { ...user, groups: [...new Set([...user.groups, ...standing.groups])] }
}
