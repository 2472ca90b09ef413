import { type Config, type EmbeddedIssuer, issuedResources } from '../config/config.ts'
import { appPasswordPlaces, refusedToServices, scopeLevels, sessionOrigins } from '../gateway/policy.ts'
import type { FederationMeter, IssuerEvent, IssuerSettings } from '../issuer/issuer.ts'
import type { IssuerOperations } from '../issuer/operations.ts'
import type { Store } from '../store/store.ts'
import { type IssuerMount, NO_ISSUER } from './issuer-mount.ts'
import { masterKeyOf } from './open-store.ts'

interface MountOptions {
  /** Undefined where the file asks for no embedded issuer. */
  readonly store: Store | undefined
  readonly now: () => number
  readonly onEvent: (event: IssuerEvent) => void
  /** Whether the store's disk has room for what strangers cause. */
  readonly hasRoom: (() => boolean) | undefined
  /** Why nothing may be issued; undefined: it may. */
  readonly cannotIssue: (() => string | undefined) | undefined
  readonly meter: FederationMeter
}

/** Starts what the file says about the issuer. Rejects with what the operator has to mend. */
export async function mountIssuer(config: Config, options: MountOptions): Promise<IssuerMount> {
  if (config.issuer.kind === 'embedded' && options.store !== undefined) {
    return mountEmbedded(config, config.issuer, options, options.store)
  }
  if (config.issuer.kind === 'upstream') {
    // Loaded where it is asked for, like the issuer.
    const { mountUpstream } = await import('./issuer-pass-on.ts')
    return mountUpstream(config, config.issuer)
  }
  return NO_ISSUER
}

async function mountEmbedded(
  config: Config,
  embedded: EmbeddedIssuer,
  { now, onEvent, hasRoom, cannotIssue, meter }: MountOptions,
  store: Store,
): Promise<IssuerMount> {
  const { registrationToken } = config.secrets
  const masterKey = await masterKeyOf(config)
  // Loaded where it is asked for: a gateway without an issuer does without the library.
  const { createIssuer } = await import('../issuer/create-issuer.ts')
  const issuer = await createIssuer(settingsOf(config, embedded), {
    store,
    masterKey,
    registrationToken,
    now,
    onEvent,
    hasRoom,
    cannotIssue,
    meter,
  })
  await warnOfServices(config, store, onEvent)
  await warnWithoutAdministrator(config, issuer.operations, onEvent)
  return {
    handle: ({ request, response, routing }) => issuer.handle(request, response, routing.client.address),
    own: { publicKeys: () => issuer.publicKeys() },
    backChannel: issuer.backChannel,
    answer: (request, response, address) => issuer.handle(request, response, address),
    providerAges: () => issuer.providerAges(),
    operations: issuer.operations,
    noteWeakSignIn: (refusal) => issuer.noteWeakSignIn(refusal),
    adminSignIn: (resource) => issuer.adminSignIn(resource),
    onKeysChanged: (listener) => issuer.onKeysChanged(listener),
    reconfigure: async (next) => {
      if (next.issuer.kind !== 'embedded') return
      await issuer.reconfigure(settingsOf(next, next.issuer))
      await warnOfServices(next, store, onEvent)
    },
    close: () => issuer.close(),
  }
}

/** Says which service clients are allowed a scope that some rule takes from people only: nobody signed in behind their tokens. */
async function warnOfServices(config: Config, store: Store, onEvent: MountOptions['onEvent']): Promise<void> {
  if (refusedToServices(config, everythingOf(config)).length === 0) return
  for (const { id, revoked, allow } of await store.clients()) {
    for (const { resource, scopes } of revoked ? [] : refusedToServices(config, allow)) {
      const hint = `client ${id} is allowed ${scopes.join(' ')} of ${resource}, which rules with \`acr\` or \`max_age\` refuse to it: its tokens come from no sign-in`
      onEvent({ level: 'warn', event: 'client.without_sign_in', detail: { client: id, resource, hint } })
    }
  }
}

function everythingOf({ resources }: Config) {
  return resources.map(({ identifier, scopes }) => ({ resource: identifier, scopes: [...scopes.keys()] }))
}

/** Says how to make the first administrator: nobody can do it from outside. */
async function warnWithoutAdministrator(
  config: Config,
  operations: IssuerOperations,
  onEvent: MountOptions['onEvent'],
): Promise<void> {
  const { groups } = config.admin ?? {}
  if (groups === undefined || (await operations.hasAdministrator())) return
  const command = `audgate user invite NAME --groups ${groups[0]} --config ${config.file}`
  const hint = `nobody can sign in to ${config.publicOrigin}/admin: \`${command}\` prints a link that makes an administrator`
  onEvent({ level: 'warn', event: 'admin.nobody', detail: { hint } })
}

function settingsOf(config: Config, { kind: _, ...settings }: EmbeddedIssuer): IssuerSettings {
  return {
    ...settings,
    identifier: config.publicUrl,
    origin: config.publicOrigin,
    sessions: { idle: config.sessions.idleSeconds, max: config.sessions.maxSeconds },
    appPasswords: { max: config.appPasswords.maxSeconds, unused: config.appPasswords.unusedSeconds },
    appPasswordPlaces: appPasswordPlaces(config),
    sessionOrigins: sessionOrigins(config),
    scopeLevels: scopeLevels(config),
    adminGroups: config.admin?.groups ?? [],
    resources: issuedResources(config),
    hasAdmin: config.admin !== undefined,
  }
}
