import { grantableScopes } from '../../core/resource.ts'
import type { AuthorizationRecord, ConsentRecord } from '../../store/store.ts'
import { type IssuerContext, resourceById, seconds, siteOf } from '../context.ts'
import { sendPage } from '../http/response.ts'
import { accountPage, type PageApp } from '../pages/account.ts'
import type { Notice } from '../pages/layout.ts'
import type { PageService } from '../pages/my-access.ts'
import { newPasswordPage, type PasswordFormModel } from '../pages/password-due.ts'
import { clockTime } from '../pages/words.ts'
import { isPasswordDue } from '../people/factor-rules.ts'
import { shortestPassword } from '../people/password-judgement.ts'
import { OPENID_SCOPES } from '../people/people.ts'
import { appPasswordsOf } from './app-password-list.ts'
import { pageBrowsers } from './browsers.ts'
import { pageEvents } from './events.ts'
import { factorsOf, recoveryNotices } from './factors.ts'
import { DATA_PATH } from './my-data.ts'
import { passkeysOf } from './passkeys.ts'
import { accountClient, accountForm, knownClient, type Outcome, outcomeFor, type SignedInRequest } from './request.ts'
import { waysIn } from './ways-in.ts'

/** Scopes of one resource that an app has, since when. */
interface ConnectedResource {
  /** '' holds the OpenID scopes. */
  readonly identifier: string
  readonly scopes: readonly string[]
  /** NumericDate, seconds. */
  readonly since: number
}

/** All that one client holds of one person. */
export interface Connection {
  readonly clientId: string
  /** By resource, the oldest first. */
  readonly resources: readonly ConnectedResource[]
  /** Those that stand, the newest first. */
  readonly devices: readonly AuthorizationRecord[]
  /** NumericDate, seconds; undefined: never used. */
  readonly lastUsedAt: number | undefined
  /** The person was asked; false for clients that the operator answers for. */
  readonly consented: boolean
}

/**
 * What is connected to a person, by client, the one used last first: from consents, and from authorizations, since clients that
 * nobody is asked about have no consent and can act all the same. A consent in which everything was left out connects nothing.
 */
function connectionsOf(
  consents: readonly ConsentRecord[],
  authorizations: readonly AuthorizationRecord[],
): readonly Connection[] {
  const given = consents.filter(({ granted }) => granted.length > 0)
  const standing = authorizations.filter(({ ended }) => !ended).sort((a, b) => b.createdAt - a.createdAt)
  const clients = new Set([...standing, ...given].map(({ clientId }) => clientId))
  return [...clients]
    .map((clientId) => connection(clientId, given.filter(of(clientId)), standing.filter(of(clientId))))
    .sort((a, b) => lastSign(b) - lastSign(a))
}

function connection(
  clientId: string,
  consents: readonly ConsentRecord[],
  devices: readonly AuthorizationRecord[],
): Connection {
  const used = devices.flatMap(({ lastUsedAt }) => lastUsedAt ?? [])
  return {
    clientId,
    resources: resourcesOf(consents, devices),
    devices,
    lastUsedAt: used.length === 0 ? undefined : Math.max(...used),
    consented: consents.length > 0,
  }
}

function resourcesOf(
  consents: readonly ConsentRecord[],
  devices: readonly AuthorizationRecord[],
): readonly ConnectedResource[] {
  const found = new Map<string, { scopes: Set<string>; since: number }>()
  const add = (identifier: string, scopes: readonly string[], since: number): void => {
    const known = found.get(identifier) ?? { scopes: new Set(), since }
    for (const scope of scopes) known.scopes.add(scope)
    found.set(identifier, { scopes: known.scopes, since: Math.min(known.since, since) })
  }
  for (const { resource, granted, since } of consents) add(resource, granted, since)
  for (const { resources, createdAt } of devices) {
    for (const [identifier, scopes] of Object.entries(resources)) add(identifier, scopes, createdAt)
  }
  return [...found]
    .map(([identifier, { scopes, since }]) => ({ identifier, scopes: [...scopes], since }))
    .filter(({ scopes }) => scopes.length > 0)
    .sort((a, b) => a.since - b.since)
}

function lastSign({ lastUsedAt, resources, devices }: Connection): number {
  return Math.max(lastUsedAt ?? 0, ...resources.map(({ since }) => since), ...devices.map(({ createdAt }) => createdAt))
}

function of(clientId: string): (record: { readonly clientId: string }) => boolean {
  return (record) => record.clientId === clientId
}

/** How a try to change something failed, to be shown on the page. */
export interface Failure {
  readonly status: 400 | 429 | 503
  readonly problem?: NonNullable<PasswordFormModel['problem']>
  readonly notice?: Notice
  readonly retryAfterSeconds?: number
}

/** The account page: who I am, what is connected to my account, and the ways to end it. */
export async function showOverview(call: SignedInRequest, failure?: Failure): Promise<void> {
  const { context, session, response } = call
  const { user } = session
  if (await mustChoosePassword(call)) return showNewPassword(call, failure)
  const outcome = failure === undefined ? outcomeFor(call, user.sub) : undefined
  const page = accountPage({
    site: siteOf(context),
    account: user,
    notices: [
      ...(await recoveryNotices(call)),
      ...(outcome === undefined ? [] : [doneNotice(outcome)]),
      ...(failure?.notice ? [failure.notice] : []),
    ],
    apps: await pageApps(call),
    appPasswords: await appPasswordsOf(call),
    ways: await waysIn(call),
    passkeys: await passkeysOf(call),
    factors: await factorsOf(call),
    password:
      user.passwordHash === undefined || context.settings().password === 'off'
        ? undefined
        : await passwordModel(call, failure, true),
    browsers: await pageBrowsers(call),
    services: mayUse(call),
    events: await pageEvents(call),
    dataPath: DATA_PATH,
    signOut: accountForm(call, 'sign-out'),
    signOutEverywhere: accountForm(call, 'sign-out-everywhere'),
    now: seconds(context),
  })
  const retryAfterSeconds = failure?.retryAfterSeconds
  sendPage(response, failure?.status ?? 200, page, retryAfterSeconds === undefined ? {} : { retryAfterSeconds })
}

async function passwordModel(
  call: SignedInRequest,
  failure: Failure | undefined,
  mayKeep: boolean,
): Promise<PasswordFormModel> {
  const { context, session } = call
  const shortest = shortestPassword(context, await context.secondFactors.has(session.user.sub))
  return { form: accountForm(call, 'password'), shortest, problem: failure?.problem, mayKeep }
}

/** Whether the person has said that somebody else was signed in, and has chosen no new password since. */
export function mustChoosePassword({ context, session }: SignedInRequest): Promise<boolean> {
  return isPasswordDue(context.store, session.user, context.settings())
}

async function showNewPassword(call: SignedInRequest, failure: Failure | undefined): Promise<void> {
  const { context, session, response } = call
  const outcome = failure === undefined ? outcomeFor(call, session.user.sub) : undefined
  const page = newPasswordPage({
    site: siteOf(context),
    account: session.user,
    notices: [...(outcome === undefined ? [] : [doneNotice(outcome)]), ...(failure?.notice ? [failure.notice] : [])],
    password: await passwordModel(call, failure, false),
    signOut: accountForm(call, 'sign-out'),
  })
  const retryAfterSeconds = failure?.retryAfterSeconds
  sendPage(response, failure?.status ?? 200, page, retryAfterSeconds === undefined ? {} : { retryAfterSeconds })
}

function mayUse({ context, session }: SignedInRequest): readonly PageService[] {
  return context.settings().resources.flatMap(({ identifier, name, scopes, ...resource }) => {
    const given = grantableScopes({ identifier, name, scopes, ...resource }, session.user.groups)
    if (given.length === 0) return []
    const words = given.map((scope) => ({ scope, description: scopes.get(scope) ?? '' }))
    return [{ name: name ?? identifier, identifier, scopes: words }]
  })
}

/** What is connected to a person at this moment. */
export async function connectionsWith({ context, session }: SignedInRequest): Promise<readonly Connection[]> {
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
    case 'browser':
      return { kind: 'done', text: `${outcome.what} was signed out at ${at}.` }
    case 'disowned':
      return { kind: 'done', text: `${outcome.what} was signed out at ${at}, and all that came from it has ended.` }
    case 'password':
      return {
        kind: 'done',
        text: `Your password was changed. Everywhere else you were signed out, and every connected app lost its access, at ${at}.`,
      }
    case 'connected':
      return connectedNotice(outcome.outcome, outcome.provider)
    case 'unlinked':
      return {
        kind: 'done',
        text: `${outcome.provider} is no way in to your account any more. What came from it ended at ${at}.`,
      }
    case 'passkey':
      return { kind: 'done', text: `The passkey ${outcome.name} opens your account from now on.` }
    case 'factor_removed':
      return { kind: 'done', text: `${outcome.what} was removed at ${at}. It opens nothing here any more.` }
    case 'signed_out':
    case 'everywhere':
      return { kind: 'done', text: `You were signed out at ${at}, and have signed in again since.` }
  }
}

function connectedNotice(outcome: Extract<Outcome, { kind: 'connected' }>['outcome'], provider: string): Notice {
  switch (outcome) {
    case 'linked':
      return { kind: 'done', text: `${provider} is connected: you can sign in with it from now on.` }
    case 'known':
      return { kind: 'note', text: `${provider} was connected already.` }
    case 'other_account':
      return {
        kind: 'problem',
        text: `That account of ${provider} belongs to another account here. Nothing was changed.`,
      }
    case 'account_linked':
      return { kind: 'problem', text: `Another account of ${provider} is connected here. Disconnect it first.` }
    case 'stale':
      return { kind: 'problem', text: 'Sign out and in again first: this needs a sign-in of the last 5 minutes.' }
    case 'last':
      return { kind: 'problem', text: `${provider} is the only way in to your account, so it stays.` }
  }
}

async function pageApps(call: SignedInRequest): Promise<readonly PageApp[]> {
  const connections = await connectionsWith(call)
  return Promise.all(connections.map((connection) => pageApp(call, connection)))
}

async function pageApp(call: SignedInRequest, connection: Connection): Promise<PageApp> {
  const { clientId, resources, devices, lastUsedAt } = connection
  return {
    client: accountClient(clientId, await knownClient(call.context, clientId)),
    resources: resources.map((resource) => pageResource(call.context, resource)),
    lastUsed: lastUsedAt,
    devices: devices.map((device) => ({
      label: deviceName(device.label),
      since: device.createdAt,
      lastUsed: device.lastUsedAt,
      revoke: accountForm(call, 'end-device', { gid: device.gid }),
    })),
    revoke: accountForm(call, 'disconnect', { client: clientId }),
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
