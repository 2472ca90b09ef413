import type Provider from 'oidc-provider'
import { createActs } from './acts.ts'
import { devicePolls, userCodeTries } from './device-limits.ts'
import { createEngine, longestSignedSeconds } from './engine.ts'
import { formPostPage } from './form-post.ts'
import { answerRequest, type CurrentEngine } from './front-door.ts'
import { incomingOf } from './incoming.ts'
import { structuredTokens } from './introspection.ts'
import type { Issuer, IssuerDependencies, IssuerSettings } from './issuer.ts'
import { auditEngine } from './issuer-audit.ts'
import type { IssuerContext } from './issuer-context.ts'
import { keepHouse } from './maintenance.ts'
import { metadataDocument } from './metadata-document.ts'
import { createOwnTokens, type OwnTokens } from './own-token.ts'
import { createPasswords } from './passwords.ts'
import { fetchPublic } from './public-fetch.ts'
import { createRefreshAnswers } from './refresh-answers.ts'
import { skipNeedlessSignOut } from './sign-out.ts'
import { createSigningKeys, type SigningKeys } from './signing-keys.ts'
import { createSpentCodes } from './spent-codes.ts'
import { storeFaults } from './store-faults.ts'
import { createSignIn } from './throttle.ts'
import { createBuckets } from './throttle-buckets.ts'
import { type Middleware, tokenEndpoint } from './token-endpoint.ts'
import { createTokenGate, type TokenGate } from './token-gate.ts'
import { createTurns } from './turns.ts'

interface Workings {
  readonly context: IssuerContext
  readonly gate: TokenGate
  readonly middleware: readonly Middleware[]
}

/** The embedded issuer on a store. Throws StoreError when the store or its keys can't be read. */
export async function createIssuer(settings: IssuerSettings, dependencies: IssuerDependencies): Promise<Issuer> {
  let current = settings
  let keys = signingKeys(current, dependencies)
  await keys.tick()
  const context = createContext(() => current, dependencies)
  const workings = createWorkings(
    context,
    createOwnTokens(context, () => keys.publicJwks()),
  )
  let engine = startEngine(workings, keys)
  const listeners: (() => void)[] = []
  const renew = (): void => {
    engine = startEngine(workings, keys)
    for (const listener of listeners) listener()
  }
  // One after another: keys of an algorithm that is being left would be made anew by a look that comes between.
  const turns = createTurns()
  const house = keepHouse(context, () =>
    turns.take('keys', async () => {
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
    publicKeys: () => keys.publicJwks().map((jwk) => ({ ...jwk })),
    onKeysChanged: (listener) => {
      listeners.push(listener)
    },
    reconfigure: (next) =>
      turns.take('keys', async () => {
        const nextKeys = needsEngine(current, next) ? signingKeys(next, dependencies) : undefined
        await nextKeys?.tick()
        current = next
        if (nextKeys === undefined) return
        keys = nextKeys
        renew()
      }),
    close: () => house.close(),
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
  // Tokens made before a reload live as long as was said then.
  let longest = settings().accessTokenTtlSeconds
  return {
    settings,
    store,
    masterKey,
    now,
    registrationToken,
    get acts() {
      longest = Math.max(longest, settings().accessTokenTtlSeconds)
      return createActs({ store, now, maxTokenSeconds: longest })
    },
    passwords,
    signIn: createSignIn({ store, masterKey, now, passwords }),
    buckets: createBuckets(store, now),
    fetchDocument: dependencies.fetchDocument ?? fetchPublic,
    tell: (event, detail, level = 'info') => onEvent({ level, event, detail }),
    record: async (event, detail, level = 'info') => {
      onEvent({ level, event, detail })
      await store.audit(event, detail, Math.floor(now() / 1000))
    },
  }
}

function createWorkings(context: IssuerContext, tokens: OwnTokens): Workings {
  const answers = createRefreshAnswers(context.store, context.masterKey, context.now)
  const codes = createSpentCodes()
  const middleware = [
    storeFaults(context),
    whenAllIsDone,
    devicePolls(),
    userCodeTries(context),
    tokenEndpoint({ context, answers, codes, turns: createTurns() }),
    structuredTokens(context, tokens),
    metadataDocument(context.settings),
    skipNeedlessSignOut,
    formPostPage,
  ]
  return { context, gate: createTokenGate(context, answers, codes), middleware }
}

/** Acts and audit lines that the library's events began are in force before the client has its answer. */
const whenAllIsDone: Middleware = async (ctx, next) => {
  await next()
  const { pending } = incomingOf(ctx.req)
  await Promise.all(pending.splice(0))
}

function startEngine({ context, gate, middleware }: Workings, keys: SigningKeys): CurrentEngine {
  const provider: Provider = createEngine(context, gate, keys.privateJwks())
  auditEngine(context, provider)
  for (const step of middleware) provider.use(step)
  return { provider, handler: provider.callback() }
}
