import { interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider'
import { gidOf } from '../../store/sealed-payload.ts'
import { type IssuerContext, seconds } from '../context.ts'
import { isPasswordDue } from '../people/factor-rules.ts'
import { findPerson, OPENID_CLAIMS } from '../people/people.ts'
import { deviceLabel, keepLabel } from '../tokens/authorization-label.ts'
import { withGroups } from '../tokens/provider-standing.ts'
import { type AuthorizationView, consentingClient, keepsOpener, viewAuthorization } from './authorization-view.ts'
import { standingOf } from './provider-session.ts'
import { personOf, stepUpCheck } from './sign-in-need.ts'

const { base, Check, Prompt } = interactionPolicy
type Policy = ReturnType<typeof base>
type Grant = InstanceType<KoaContextWithOIDC['oidc']['provider']['Grant']>

interface Authorizing {
  /** The grant of this authorization, a new one for each device: what ends one leaves a person's others alone. */
  readonly loadExistingGrant: (ctx: KoaContextWithOIDC) => Promise<Grant | undefined>
  /** Sign-in, then the page that says no, then consent. */
  readonly policy: Policy
}

/** The library's way from a request to an authorization: which pages come, and what is granted in the end. */
export function createAuthorizing(context: IssuerContext): Authorizing {
  const views = new WeakMap<KoaContextWithOIDC, AuthorizationView>()
  return {
    loadExistingGrant: async (ctx) => {
      const view = await viewOf(context, ctx)
      if (view === undefined) return undefined
      views.set(ctx, view)
      const waits = ctx.oidc.promptPending('login') || ctx.oidc.promptPending('consent')
      return waits || view.denied || view.asks ? undefined : saveGrant(context, ctx, view)
    },
    policy: noteOpener(
      context,
      pages(context, (ctx) => views.get(ctx)),
    ),
  }
}

async function viewOf(context: IssuerContext, ctx: KoaContextWithOIDC): Promise<AuthorizationView | undefined> {
  const { account, client, result, params, route } = ctx.oidc
  if (account === undefined || client === undefined) return undefined
  const person = await findPerson(context.store, account.accountId)
  if (person === undefined) return undefined
  // Another person may have signed in since the boxes were ticked.
  const ticked = result?.consent?.sub === account.accountId ? result.consent.scopes : undefined
  return viewAuthorization(context, {
    user: withGroups(person.user, standingOf(ctx)),
    client: await consentingClient(context, client),
    parameters: params ?? {},
    acr: ctx.oidc.session?.acr,
    device: route === 'code_verification' || route === 'device_resume',
    ticked: Array.isArray(ticked) ? ticked.map(String) : undefined,
  })
}

async function saveGrant(context: IssuerContext, ctx: KoaContextWithOIDC, view: AuthorizationView): Promise<Grant> {
  const { account, client, provider } = ctx.oidc
  const grant = new provider.Grant({ accountId: account?.accountId, clientId: client?.clientId })
  for (const [resource, scopes] of view.given) {
    if (resource !== '' && scopes.length > 0) grant.addResourceScope(resource, [...scopes])
  }
  const openId = view.given.get('') ?? []
  if (openId.length > 0) grant.addOIDCScope([...openId])
  // A claim that is asked for by itself goes with its scope.
  for (const [scope, claims] of Object.entries(OPENID_CLAIMS)) {
    if (!openId.includes(scope)) grant.rejectOIDCClaims([...claims])
  }
  const standing = await standingGrant(ctx, grant)
  return standing ?? keepGrant(context, ctx, grant)
}

/**
 * What a silent request of this browser goes on with: the same of the same client, given since the person signed in here.
 * Renewing is no new device.
 */
async function standingGrant(ctx: KoaContextWithOIDC, like: Grant): Promise<Grant | undefined> {
  const { client, params, provider, session } = ctx.oidc
  const grantId = params?.prompt === 'none' ? session?.grantIdFor(client?.clientId ?? '') : undefined
  const grant = grantId === undefined ? undefined : await provider.Grant.find(grantId)
  if (grant === undefined || grant.iat < (session?.loginTs ?? Number.POSITIVE_INFINITY)) return undefined
  const given = ({ accountId, clientId, openid, resources, rejected }: Grant): string =>
    JSON.stringify([accountId, clientId, openid, resources, rejected])
  return given(grant) === given(like) ? grant : undefined
}

async function keepGrant(context: IssuerContext, ctx: KoaContextWithOIDC, grant: Grant): Promise<Grant> {
  const { client, route, session } = ctx.oidc
  const gid = gidOf(await grant.save())
  const standing = standingOf(ctx)
  if (standing.kind === 'good') await context.store.bindAuthorization(gid, client?.clientId ?? '', standing.signIn)
  const device = ctx.oidc.deviceCode?.deviceInfo?.device
  const label = route.includes('device') || route === 'code_verification' ? device : deviceLabel(ctx.get('user-agent'))
  await keepLabel(context.store, gid, String(label ?? ''), seconds(context))
  if (session !== undefined) await context.store.bindToSession(gid, session.uid, seconds(context))
  return grant
}

/** Every page of an authorization is to know what its first request said. */
function noteOpener(context: IssuerContext, policy: Policy): Policy {
  for (const prompt of policy) {
    const { details } = prompt
    prompt.details = async (ctx) => ({ ...(await details(ctx)), keepsOpener: await keepsOpener(context, ctx) })
  }
  return policy
}

function pages(context: IssuerContext, viewed: (ctx: KoaContextWithOIDC) => AuthorizationView | undefined): Policy {
  const policy = base()
  policy.get('login')?.checks.add(
    new Check('account_gone', 'the account can no longer be used', 'login_required', ({ oidc }) => {
      return oidc.session?.accountId !== undefined && oidc.account === undefined
    }),
  )
  // Essential levels are asked like all others, by the check that knows what a person can do about them.
  policy.get('login')?.checks.remove('essential_acr')
  policy.get('login')?.checks.remove('essential_acrs')
  policy.get('login')?.checks.add(stepUpCheck(context))
  policy.remove('consent')
  policy.add(
    new Prompt(
      { name: 'new_password', requestable: false },
      new Check('password_due', 'a new password has to be chosen first', 'login_required', async (ctx) => {
        const user = personOf(ctx)
        return user !== undefined && isPasswordDue(context.store, user, context.settings())
      }),
    ),
  )
  policy.add(
    new Prompt(
      { name: 'denied', requestable: false },
      new Check('resource_denied', 'the person may have nothing of what was asked for', 'access_denied', (ctx) => {
        return viewed(ctx)?.denied === true
      }),
    ),
  )
  policy.add(
    new Prompt(
      { name: 'consent', requestable: true },
      new Check('consent_missing', 'the person has to be asked', 'consent_required', (ctx) => {
        return viewed(ctx)?.asks === true
      }),
    ),
  )
  return policy
}
