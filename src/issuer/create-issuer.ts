import type Provider from 'oidc-provider'
import { createKeyedLock } from '../store/keyed-lock.ts'
import type { RevocationAct } from '../store/store.ts'
import { type AuditTrail, createAuditTrail } from './audit-trail.ts'
import { keepAdminClient } from './clients/admin-client.ts'
import { createSecretUses } from './clients/client-secrets.ts'
import { createDocumentSource } from './clients/document-source.ts'
import { fetchPublic } from './clients/metadata-documents.ts'
import { faultOf, type IssuerContext } from './context.ts'
import { createOperations } from './create-operations.ts'
import { aroundLibrary, createEndpoints, type Endpoints } from './endpoints.ts'
import { createFederation } from './federation/create-federation.ts'
import type { FederationMeter, Issuer, IssuerDependencies, IssuerSettings } from './issuer.ts'
import { createSigningKeys, type SigningKeys } from './keys/signing-keys.ts'
import { startMaintenance } from './maintenance.ts'
import { createBuckets } from './people/buckets.ts'
import { createPasskeys } from './people/passkeys.ts'
import { createPasswords } from './people/passwords.ts'
import { createSecondFactors } from './people/second-factors.ts'
import { createStepUps } from './people/step-ups.ts'
import { createSignIn } from './people/throttle.ts'
import { auditEngine } from './provider/audit.ts'
import { createEngine, longestSignedSeconds } from './provider/provider.ts'
import { createRevocationActs } from './revocation-acts.ts'
import { answerRequest, type CurrentEngine } from './router.ts'
import { createRowBudget } from './row-budget.ts'
import { createAdminSignIn } from './sessions/admin-sign-in.ts'
import { createBackChannel } from './sessions/back-channel.ts'
import { createOwnTokens, type OwnTokens } from './tokens/introspection.ts'
import { createRefreshAnswers } from './tokens/refresh-answers.ts'
import { createTokenGate, type TokenGate } from './tokens/token-gate.ts'

interface Workings {
  readonly context: IssuerContext
  readonly gate: TokenGate
  readonly endpoints: Endpoints
}

/** The embedded issuer on a store. Throws StoreError when the store or its keys can't be read. */
export async function createIssuer(settings: IssuerSettings, dependencies: IssuerDependencies): Promise<Issuer> {
  let current = settings
  let keys = signingKeys(current, dependencies)
  await keys.tick()
  const context = createContext(() => current, dependencies)
  await keepAdminClient(context)
  // The file may have changed while nothing ran.
  await context.federation.reconfigured()
  const workings = createWorkings(
    context,
    createOwnTokens(context, () => keys.publicJwks()),
  )
  let engine = startEngine(workings, keys)
  const sessionParts = { context, provider: () => engine.provider, privateJwks: () => keys.privateJwks() }
  const listeners: (() => void)[] = []
  const renew = (): void => {
    engine = startEngine(workings, keys)
    for (const listener of listeners) listener()
  }
  // One after another: keys of an algorithm that is being left would be made anew by a look that comes between.
  const lock = createKeyedLock()
  const house = startMaintenance(context, () =>
    lock.take('keys', async () => {
      if (await keys.tick()) renew()
    }),
  )
  return {
    get identifier() {
      return current.identifier
    },
    handle: (request, response, clientAddress) => {
      void answerRequest(context, engine, request, response, clientAddress)
    },
    backChannel: createBackChannel(sessionParts),
    adminSignIn: (resource) => createAdminSignIn(sessionParts, resource),
    publicKeys: () => keys.publicJwks().map((jwk) => ({ ...jwk })),
    onKeysChanged: (listener) => {
      listeners.push(listener)
    },
    reconfigure: (next) =>
      lock.take('keys', async () => {
        const nextKeys = needsEngine(current, next) ? signingKeys(next, dependencies) : undefined
        await nextKeys?.tick()
        current = next
        await keepAdminClient(context)
        await context.federation.reconfigured()
        if (nextKeys === undefined) return
        keys = nextKeys
        renew()
      }),
    operations: createOperations(context, () => keys),
    noteWeakSignIn: (refusal) => void context.stepUps.note(refusal),
    providerAges: () => context.federation.ages(),
    askProviders: () => context.federation.look(),
    close: async () => {
      await context.federation.close()
      await house.close()
    },
  }
}

/** Whether a change goes beyond what is read at each use. */
function needsEngine(before: IssuerSettings, next: IssuerSettings): boolean {
  const fixed = ['identifier', 'origin', 'signingAlg', 'registration', 'clientMetadataDocuments'] as const
  return (
    fixed.some((name) => before[name] !== next[name]) || before.accessTokenTtlSeconds !== next.accessTokenTtlSeconds
  )
}

function signingKeys(settings: IssuerSettings, { store, masterKey, now }: IssuerDependencies): SigningKeys {
  const tokenSeconds = longestSignedSeconds(settings.accessTokenTtlSeconds)
  return createSigningKeys({ store, masterKey, now, alg: settings.signingAlg, tokenSeconds })
}

function createContext(settings: () => IssuerSettings, dependencies: IssuerDependencies): IssuerContext {
  const { store, masterKey, now, onEvent, registrationToken } = dependencies
  const passwords = createPasswords()
  const trail = createAuditTrail(store, now, onEvent)
  const base: Omit<IssuerContext, 'federation'> = {
    settings,
    store,
    masterKey,
    now,
    cannotIssue: dependencies.cannotIssue ?? (() => undefined),
    registrationToken,
    acts: createRevocationActs({
      store: {
        act: (act) => store.act(withRequest(act, trail)),
        userBySub: (sub) => store.userBySub(sub),
        unit: (work, keep) => store.unit(work, keep),
        voidLinksMadeBy: (sub) => store.voidLinksMadeBy(sub),
      },
      now,
      adminGroups: () => settings().adminGroups,
    }),
    passwords,
    signIn: createSignIn({ store, masterKey, now, passwords }),
    buckets: createBuckets(store, now),
    stepUps: createStepUps({ store, now, onFault: (error) => trail.tell('issuer.fault', faultOf(error), 'error') }),
    secondFactors: createSecondFactors(store, masterKey, now),
    secretUses: createSecretUses(store, now),
    passkeys: createPasskeys({ store, masterKey, now, settings }),
    rowBudget: createRowBudget({ now, hasRoom: dependencies.hasRoom, perGroup: dependencies.rowsPerGroup }),
    documents: createDocumentSource({ store, now, fetch: dependencies.fetchDocument ?? fetchPublic }),
    tell: trail.tell,
    record: trail.record,
    trail,
  }
  return { ...base, federation: createFederation(base, dependencies.meter ?? NOBODY_COUNTS) }
}

/** The act with the request that it is done by in its line. */
function withRequest(act: RevocationAct, trail: AuditTrail): RevocationAct {
  const { event, detail } = act.audit
  return { ...act, audit: { event, detail: trail.ofRequest(detail) } }
}

const NOBODY_COUNTS: FederationMeter = { call: () => undefined, signIn: () => undefined }

function createWorkings(context: IssuerContext, tokens: OwnTokens): Workings {
  const answers = createRefreshAnswers(context.store, context.masterKey, context.now)
  const endpoints = createEndpoints({ context, answers, tokens })
  return { context, gate: createTokenGate(context, answers), endpoints }
}

function startEngine({ context, gate, endpoints }: Workings, keys: SigningKeys): CurrentEngine {
  const provider: Provider = createEngine(context, gate, keys.privateJwks())
  auditEngine(context, provider)
  provider.use(aroundLibrary(context, endpoints))
  return { provider, handler: provider.callback(), endpoints }
}
