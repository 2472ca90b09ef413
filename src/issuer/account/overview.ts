import { type IssuerContext, resourceById, seconds, siteOf } from '../issuer-context.ts'
import { sendPage } from '../page-answer.ts'
import { accountPage, type PasswordFormModel } from '../pages/account.ts'
import type { PageApp } from '../pages/connected-apps.ts'
import type { Notice } from '../pages/notice.ts'
import { clockTime } from '../pages/time.ts'
import { OPENID_SCOPES } from '../people.ts'
import { type ConnectedResource, type Connection, connectionsOf } from './connections.ts'
import { type Outcome, outcomeFor } from './notice.ts'
import { accountClient, accountForm, type SignedInVisit } from './visit.ts'

/** How a try to change something failed, to be shown on the page. */
export interface Failure {
  readonly status: 400 | 429
  readonly problem?: NonNullable<PasswordFormModel['problem']>
  readonly notice?: Notice
  readonly retryAfterSeconds?: number
}

/** The account page: who I am, what is connected to my account, and the ways to end it. */
export async function showOverview(visit: SignedInVisit, failure?: Failure): Promise<void> {
  const { context, session, response } = visit
  const { user } = session
  const outcome = failure === undefined ? outcomeFor(visit, user.sub) : undefined
  const page = accountPage({
    site: siteOf(context),
    account: user,
    notices: [...(outcome === undefined ? [] : [doneNotice(outcome)]), ...(failure?.notice ? [failure.notice] : [])],
    apps: await pageApps(visit),
    password:
      user.passwordHash === undefined ? undefined : { form: accountForm(visit, 'password'), problem: failure?.problem },
    signOut: accountForm(visit, 'sign-out'),
    signOutEverywhere: accountForm(visit, 'sign-out-everywhere'),
    now: seconds(context),
  })
  const retryAfterSeconds = failure?.retryAfterSeconds
  sendPage(response, failure?.status ?? 200, page, retryAfterSeconds === undefined ? {} : { retryAfterSeconds })
}

/** What is connected to a person at this moment. */
export async function connectionsWith({ context, session }: SignedInVisit): Promise<readonly Connection[]> {
  const { sub } = session.user
  return connectionsOf(await context.store.consents({ sub }), await context.store.authorizations({ sub }))
}

/** A resource's name; one that routes.yaml no longer has goes by its identifier. */
export function resourceName({ settings }: IssuerContext, identifier: string): string {
  if (identifier === '') return 'Who you are'
  return resourceById(settings().resources, identifier)?.name ?? identifier
}

/** How a device is called on these pages. */
export function deviceName(label: string): string {
  return label === '' ? 'Unknown device' : label
}

function doneNotice(outcome: Outcome): Notice {
  const at = clockTime(outcome.atMs)
  switch (outcome.kind) {
    case 'ended': {
      const used = outcome.lastUsedAtMs === undefined ? '' : ` It was last used at ${clockTime(outcome.lastUsedAtMs)}.`
      return { kind: 'done', text: `${outcome.what} has no access any more. That took effect at ${at}.${used}` }
    }
    case 'gone':
      return { kind: 'note', text: `${outcome.what} had no access any more at ${at}. Nothing was left to end.` }
    case 'password':
      return {
        kind: 'done',
        text: `Your password was changed. Everywhere else you were signed out, and every connected app lost its access, at ${at}.`,
      }
    case 'signed_out':
    case 'everywhere':
      return { kind: 'done', text: `You were signed out at ${at}, and have signed in again since.` }
  }
}

async function pageApps(visit: SignedInVisit): Promise<readonly PageApp[]> {
  const connections = await connectionsWith(visit)
  return Promise.all(connections.map((connection) => pageApp(visit, connection)))
}

async function pageApp(visit: SignedInVisit, connection: Connection): Promise<PageApp> {
  const { clientId, resources, devices, lastUsedAt } = connection
  return {
    client: accountClient(clientId, await visit.context.store.client(clientId)),
    resources: resources.map((resource) => pageResource(visit.context, resource)),
    lastUsed: lastUsedAt,
    devices: devices.map((device) => ({
      label: deviceName(device.label),
      since: device.createdAt,
      lastUsed: device.lastUsedAt,
      revoke: accountForm(visit, 'end-device', { gid: device.gid }),
    })),
    revoke: accountForm(visit, 'disconnect', { client: clientId }),
  }
}

function pageResource(context: IssuerContext, resource: ConnectedResource): PageApp['resources'][number] {
  const { identifier, scopes, since } = resource
  const known = resourceById(context.settings().resources, identifier)
  const words: ReadonlyMap<string, string> = identifier === '' ? OPENID_SCOPES : (known?.scopes ?? new Map())
  return {
    name: resourceName(context, identifier),
    identifier,
    scopes: scopes.map((scope) => ({ scope, description: words.get(scope) ?? '' })),
    since,
  }
}
