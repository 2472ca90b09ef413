import { matchResource } from '../core/resource.ts'
import type { ClientRecord, RevocationAct } from '../store/store.ts'
import { stampOf } from './acting.ts'
import { adminClientSecret } from './clients/admin-client.ts'
import { type ClientSecret, hashClientSecret, keptSecrets, secretsOf } from './clients/client-secrets.ts'
import { addClient, clientProblem, makeClientSecret, readAllow } from './clients/clients.ts'
import type { IssuerContext } from './context.ts'
import type { SigningKeys } from './keys/signing-keys.ts'
import type { IssuePreview, IssuerOperations, PersonChange, Why, WouldBe } from './operations.ts'
import { removeFactor } from './people/factor-removal.ts'
import { bestLevel } from './people/factor-rules.ts'
import { makeLink, RESETTABLE, voidLink } from './people/links.ts'
import {
  type AdministratorRules,
  addUser,
  displayNameProblem,
  emailProblem,
  groupsProblem,
  hasAdministrator,
  isLastAdministrator,
} from './people/people.ts'
import { createRevocationActs, type RevocationActs } from './revocation-acts.ts'
import { judgeService, judgeToken, offer, readResourceRequest } from './tokens/policy.ts'

/** @param keys Of the algorithm in force. */
export function createOperations(context: IssuerContext, keys: () => SigningKeys): IssuerOperations {
  const { store, now, settings } = context
  const record: IssuerOperations['record'] = (event, detail, why) =>
    context.record(event, { ...detail, ...reasonOf(why) })
  /** A change and its line, or neither. */
  const changing = <T>(
    work: () => Promise<T>,
    isDone: (result: T) => boolean,
    event: string,
    of: (result: T) => Detail,
    why: Why,
  ) =>
    store.unit(async () => {
      const result = await work()
      if (isDone(result)) await record(event, of(result), why)
      return result
    }, isDone)
  return {
    record,
    addPerson: (input, why) =>
      changing(
        () => addUser(store, { ...input, passwordHash: undefined }, now()),
        ({ kind }) => kind === 'added',
        'user.added',
        (added) => (added.kind === 'added' ? { sub: added.user.sub, groups: added.user.groups } : {}),
        why,
      ),
    changePerson: async (sub, change, why) => {
      await actsFor(context, why).changeUser(sub, change, why.by)
    },
    addClient: (input, why) =>
      changing(
        () => addClient(store, input, settings().resources, now()),
        ({ kind }) => kind === 'added',
        'client.added',
        () => ({ client: input.id, type: input.type }),
        why,
      ),
    readClient: (input) => clientProblem(input) ?? readAllow(input.allow, settings().resources),
    replaceClient: (before, client, why) =>
      changing(
        () => store.replaceClient(before, client),
        (done) => done,
        'client.changed',
        () => ({ client: client.id }),
        why,
      ),
    ...secretOperations(context, record),
    deleteClient: (id, why) =>
      changing(
        () => store.deleteClient(id),
        (done) => done,
        'client.deleted',
        () => ({ client: id }),
        why,
      ),
    makeLink: async ({ kind, user, seconds, reset }, why) => {
      const { origin, links } = settings()
      const life = seconds ?? (kind === 'invite' ? (links?.inviteSeconds ?? 259_200) : (links?.recoverSeconds ?? 3_600))
      const made = await makeLink(store, origin, { kind, user, seconds: life, reset }, why, now())
      if (made.kind !== 'made') return made
      return { kind: 'made', id: made.link.id, url: made.url, expiresAt: made.link.expiresAt }
    },
    voidLink: (id, sub, why) => voidLink(store, id, sub, why, now()),
    endSession: async (sub, id, why) => {
      const session = (await store.sessions(sub)).find((each) => each.id === id)
      if (session === undefined) return false
      // With what was opened under it at the gateway's hosts.
      await actsFor(context, why).signOutBrowser(sub, session.issuerSession, why.by)
      return true
    },
    removeFactor: async (user, id, why) => {
      const removed = await removeFactor(store, {
        ...{ user, id, ways: settings(), offered: context.passkeys.offered(), mayEndLast: true, thenByLink: true },
        ...{ detail: reasonOf(why), at: Math.floor(now() / 1000), endsAllAt: stampOf({ now }) },
      })
      if (removed === 'ended' || removed === 'alone')
        throw new TypeError('an operator’s removal does not hang on a session')
      if (removed === 'removed') context.tell('factor.removed', { sub: user.sub, factor: id, ...reasonOf(why) })
      return removed
    },
    acts: (why) => actsFor(context, why),
    rotateKeys: async (why) => {
      const pending = (await store.signingKeys()).some(
        ({ state, alg }) => state === 'pending' && alg === settings().signingAlg,
      )
      if (pending) return undefined
      const key = await keys().rotate()
      await record('keys.rotated', { kid: key.kid }, why)
      return key
    },
    preview: (holder, resource, scopes) => preview(context, holder, resource, scopes),
    resettable: RESETTABLE,
    bestLevel: async (sub) => bestLevel(await context.secondFactors.standing(sub), context.passkeys.offered()),
    hasAdministrator: () => hasAdministrator(store, administratorRules(context)),
    isLastAdministrator: (user, left) => isLastAdministrator(store, administratorRules(context), user, left),
    adminClientSecret: () => adminClientSecret(context.masterKey),
    problemOfPerson,
  }
}

function administratorRules({ settings, passkeys }: IssuerContext): AdministratorRules {
  return { adminGroups: settings().adminGroups, ways: settings(), offered: passkeys.offered() }
}

type Detail = Readonly<Record<string, unknown>>

function reasonOf({ by, requestId, address }: Why): Detail {
  return { by, request_id: requestId, address }
}

/** The acts, each with who did it from where in its line. */
function actsFor(context: IssuerContext, why: Why): RevocationActs {
  const { store, now } = context
  const act = async (change: RevocationAct) => {
    const { event } = change.audit
    const detail = { ...change.audit.detail, ...reasonOf(why) }
    const entries = await store.act({ ...change, audit: { event, detail } })
    context.tell(event, detail)
    return entries
  }
  return createRevocationActs({
    store: { act, userBySub: store.userBySub, unit: store.unit, voidLinksMadeBy: store.voidLinksMadeBy },
    now,
    adminGroups: () => context.settings().adminGroups,
  })
}

function problemOfPerson({ displayName, email, groups }: PersonChange): string | undefined {
  return displayNameProblem(displayName) ?? emailProblem(email) ?? groupsProblem(groups ?? [])
}

/** By the rules of the authorization and the token endpoint: a person consents to all that they may give. */
function preview(context: IssuerContext, holder: WouldBe, named: string, scopes: readonly string[]): IssuePreview {
  const { resources } = context.settings()
  const resource = matchResource(resources, named)
  const requested = scopes.length > 0 ? scopes : [...(resource?.scopes.keys() ?? [])]
  const ask = readResourceRequest(resources, [named], requested, false)
  if (ask.kind === 'refused') return { given: [], leftOut: [], refused: ask.description }
  const offers = offer(ask.shares, holder)
  const leftOut = offers.flatMap(({ withheld }) => withheld)
  const judged =
    holder.kind === 'service'
      ? judgeService(resources, [named], requested, holder)
      : judgeToken(resources, { granted: offers, openId: false, named, scope: undefined }, holder)
  if (judged.kind === 'token') return { given: judged.scopes, leftOut, refused: undefined }
  return { given: [], leftOut, refused: judged.kind === 'refused' ? judged.description : 'nothing was asked for' }
}

function secretOperations(
  { store, now, secretUses }: IssuerContext,
  record: IssuerOperations['record'],
): Pick<IssuerOperations, 'secretsOf' | 'addSecret' | 'removeSecret'> {
  const keep = (client: ClientRecord, secrets: readonly ClientSecret[], event: string, id: string, why: Why) =>
    store.unit(
      async () => {
        const kept = await store.replaceClient(client, { ...client, secretHash: keptSecrets(secrets) })
        if (kept) await record(event, { client: client.id, secret: id }, why)
        return kept
      },
      (kept) => kept,
    )
  return {
    secretsOf: async ({ id: clientId, secretHash, createdAt: made }) => {
      const secrets = secretsOf(secretHash)
      const uses = secrets.length === 0 ? undefined : await secretUses.of(clientId)
      return secrets.map(({ id, createdAt = made }) => ({ id, createdAt, lastUsedAt: uses?.get(id) }))
    },
    addSecret: async (client, why) => {
      const secret = makeClientSecret()
      const added = secretsOf(hashClientSecret(secret)).map((each) => ({
        ...each,
        createdAt: Math.floor(now() / 1000),
      }))
      const id = added[0]?.id ?? ''
      const kept = await keep(client, [...secretsOf(client.secretHash), ...added], 'client.secret.added', id, why)
      return kept ? { id, secret } : undefined
    },
    removeSecret: (client, id, why) => {
      const left = secretsOf(client.secretHash).filter((each) => each.id !== id)
      return keep(client, left, 'client.secret.removed', id, why)
    },
  }
}
