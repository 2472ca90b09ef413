import { LEVELS, type Level, levelOf, OWN_ACR, reaches } from '../../core/levels.ts'
import type { UserRecord } from '../../store/store.ts'
import type { IssuerContext } from '../context.ts'
import { bestLevel } from '../people/factor-rules.ts'
import { type Grantable, offer } from '../tokens/policy.ts'
import { readParameters } from '../tokens/resource-indicators.ts'

type Parameters = Readonly<Record<string, unknown>>

/** The best level that the account can sign in at. */
export async function reachableLevel({ secondFactors, passkeys }: IssuerContext, sub: string): Promise<Level> {
  return bestLevel(await secondFactors.standing(sub), passkeys.offered())
}

/** What of the offers is worth nothing to somebody who can't sign in at the level that all its rules ask for, is withheld. */
export async function withinReach(
  context: IssuerContext,
  user: UserRecord,
  signedInAt: unknown,
  offers: readonly Grantable[],
): Promise<readonly Grantable[]> {
  const levels = context.settings().scopeLevels
  const asks = offers.some(({ resource, scopes }) =>
    scopes.some((scope) => levels?.get(resource.identifier)?.has(scope)),
  )
  if (!asks) return offers
  const best = await reachableLevel(context, user.sub)
  const now = levelOf(signedInAt, OWN_ACR)
  return offers.map((each) => {
    const needed = (scope: string): Level | undefined => {
      const level = levels?.get(each.resource.identifier)?.get(scope)
      return level === undefined || reaches(best, level) || reaches(now, level) ? undefined : level
    }
    const tooHigh = each.scopes.flatMap((scope) => {
      const level = needed(scope)
      return level === undefined ? [] : [{ scope, groups: [], level }]
    })
    const scopes = each.scopes.filter((scope) => needed(scope) === undefined)
    return { ...each, scopes, withheld: [...each.withheld, ...tooHigh] }
  })
}

/** The level that what is asked for needs, of what the person may have and can sign in for; undefined: any. */
export async function levelOfScopes(
  context: IssuerContext,
  parameters: Parameters,
  user: UserRecord,
): Promise<Level | undefined> {
  const levels = context.settings().scopeLevels
  if (levels === undefined || [...levels.values()].every(({ size }) => size === 0)) return undefined
  const shares = readParameters(context, parameters.resource, parameters.scope)
  const needed = offer(shares, { kind: 'person', groups: user.groups }).flatMap(({ resource, scopes }) =>
    scopes.flatMap((scope) => levels.get(resource.identifier)?.get(scope) ?? []),
  )
  if (needed.length === 0) return undefined
  const best = await reachableLevel(context, user.sub)
  return LEVELS.findLast((level) => needed.includes(level) && reaches(best, level))
}
