import { errors, interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider'
import { LEVELS, type Level, type SignInNeed } from '../../core/levels.ts'
import type { UserRecord } from '../../store/store.ts'
import { type IssuerContext, seconds } from '../context.ts'
import { SIGN_IN_WISHES } from '../http/authorization-parameters.ts'
import type { Person } from '../people/people.ts'
import { satisfies } from '../people/step-ups.ts'
import { withGroups } from '../tokens/provider-standing.ts'
import { mustEnrol } from './enrol-step.ts'
import { standingOf } from './provider-session.ts'
import { levelOfScopes } from './reachable-level.ts'

const { Check } = interactionPolicy

/** Judges what a client asks of the sign-in where `openid` is not asked for, as the library does where it is. */
export const wishParameters = {
  [SIGN_IN_WISHES.acr_values]: null,
  [SIGN_IN_WISHES.max_age]: (_ctx: unknown, value: string | undefined): void => {
    if (value !== undefined && !(/^\d+$/.test(value) && Number.isSafeInteger(Number(value))))
      throw new errors.InvalidRequest('invalid max_age parameter value')
  },
}

type Parameters = Readonly<Record<string, unknown>>

/** What a request asks of the sign-in by `acr_values` and `max_age`. Words that no level has are passed over: they are wishes. */
export function wishedSignIn(params: Parameters): SignInNeed {
  const values = String(params.acr_values ?? params[SIGN_IN_WISHES.acr_values] ?? '').split(' ')
  const maxAge = params.max_age ?? params[SIGN_IN_WISHES.max_age]
  return {
    acr: LEVELS.find((level) => values.includes(level)),
    maxAge: maxAge === undefined ? undefined : Number(maxAge),
  }
}

/** What both ask. */
function bothNeeds(one: SignInNeed, other: SignInNeed): SignInNeed {
  const ages = [one.maxAge, other.maxAge].filter((age) => age !== undefined)
  return {
    acr: LEVELS.findLast((level) => level === one.acr || level === other.acr),
    maxAge: ages.length === 0 ? undefined : Math.min(...ages),
  }
}

/** What an authorization asks of the sign-in: by its parameters, by what it asks for, and by a refusal of that client and person a moment ago. */
async function needOf(context: IssuerContext, params: Parameters, user: UserRecord | undefined): Promise<SignInNeed> {
  const wished = wishedSignIn(params)
  if (user === undefined) return wished
  const refused = await context.stepUps.refused(user.sub, String(params.client_id))
  const acr = await levelOfScopes(context, params, user)
  return [refused, acr && { acr }].reduce<SignInNeed>((need, more) => (more ? bothNeeds(need, more) : need), wished)
}

/** The name of the check that asks for a better or fresher sign-in, among the reasons of the `login` prompt. */
export const STEP_UP = 'step_up'

/** Asks for a sign-in that is good and fresh enough. Who has just signed in is fresh. */
export function stepUpCheck(context: IssuerContext): InstanceType<typeof Check> {
  return new Check(
    STEP_UP,
    'a better or fresher sign-in is needed',
    'login_required',
    async (ctx: KoaContextWithOIDC) => {
      const { session, params, result } = ctx.oidc
      if (session?.accountId === undefined) return false
      const user = personOf(ctx)
      // From before the person had to have a second factor.
      if (user !== undefined && session.acr === 'pwd' && (await mustEnrol(context, user))) return true
      const { acr, maxAge } = await needOf(context, params ?? {}, user)
      const fresh = result?.login !== undefined
      return !satisfies(
        { acr, maxAge: fresh ? undefined : maxAge === 0 ? -1 : maxAge },
        { acr: session?.acr, authTime: session?.loginTs },
        seconds(context),
      )
    },
  )
}

/** Who the session of the request in hand is of, with the groups that count in it; undefined: nobody, or an account that is gone. */
export function personOf(ctx: KoaContextWithOIDC): UserRecord | undefined {
  const { account } = ctx.oidc
  return account !== undefined && 'user' in account ? withGroups((account as Person).user, standingOf(ctx)) : undefined
}

/** The level that an authorization asks for; undefined: any. */
export async function levelNeeded(
  context: IssuerContext,
  params: Parameters,
  user: UserRecord,
): Promise<Level | undefined> {
  return (await needOf(context, params, user)).acr
}
