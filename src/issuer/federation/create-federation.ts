import { AsyncLocalStorage } from 'node:async_hooks'
import type { IdentityProvider } from '../../core/identity-provider.ts'
import type { ProviderSignIn } from '../../store/provider-store.ts'
import { faultOf, type IssuerContext } from '../context.ts'
import { cookieName, readCookie } from '../http/cookies.ts'
import type { FederationMeter } from '../issuer.ts'
import { createAsking, good } from './asking.ts'
import { createAttempts } from './attempts.ts'
import { type Background, startBackground } from './background.ts'
import { depart } from './departure.ts'
import { answerProviders } from './endpoints.ts'
import type { Federation, Standing } from './federation.ts'
import type { FederationParts } from './federation-parts.ts'
import { createParties } from './provider/parties.ts'
import type { ProviderFault } from './provider/provider-fault.ts'
import { openTokens } from './sign-in-tokens.ts'

const MOST_FAILURES = 20

type Base = Pick<
  IssuerContext,
  'settings' | 'store' | 'acts' | 'masterKey' | 'now' | 'signIn' | 'secondFactors' | 'rowBudget' | 'record' | 'tell'
>

/** @param base of the issuer's context, whose own `federation` this becomes. */
export function createFederation(base: Base, meter: FederationMeter): Federation {
  const { settings, store, now } = base
  const parties = createParties(settings, now, meter.call)
  const bound: { background: Background | undefined } = { background: undefined }
  const parts: FederationParts = {
    ...base,
    parties,
    attempts: createAttempts(base),
    apart: AsyncLocalStorage.snapshot(),
    ...reachability(base),
    refusedSince: new Map(),
    revokeThere: (signIn) => {
      const tokens = openTokens(base.masterKey, signIn.id, signIn.sealed)
      const party = parties.byIssuer(signIn.issuer)
      if (tokens?.refreshToken === undefined || party === undefined) return
      party.revoke(tokens.refreshToken).catch(() => undefined)
    },
    failures: createFailures(now),
    wake: () => bound.background?.wake(),
    counted: meter.signIn,
  }
  const asking = createAsking(parts)
  const lastOf = async (signIn: ProviderSignIn | undefined): Promise<Standing> => {
    if (signIn === undefined) return { kind: 'own' }
    return signIn.ended ? { kind: 'ended' } : good(parts, signIn)
  }
  const background = startBackground(parts, asking)
  bound.background = background
  return {
    answer: (landing, asked) => answerProviders(parts, landing, asked),
    wake: background.wake,
    look: background.look,
    choices: (request) =>
      lastFirst(settings().providers, readCookie(request.headers.cookie, cookieName('provider', settings().origin))),
    depart: async (request, response, provider, purpose, wish) => {
      const party = parties.byId(provider)
      return party && depart(parts, party, request, response, purpose, wish)
    },
    standingOfAuthorization: async (gid, source) => asking.standing(await store.signInOfAuthorization(gid), source),
    standingOfSession: async (uid, source) => asking.standing(await store.signInOfSession(uid), source),
    lastOfSession: async (uid) => lastOf(await store.signInOfSession(uid)),
    lastOfAuthorization: async (gid) => lastOf(await store.signInOfAuthorization(gid)),
    unlink: async (link, why) => {
      const signIns = await store.providerSignIns({ issuer: link.issuer, person: link.person })
      for (const signIn of signIns) parts.revokeThere(signIn)
      const provider = parties.byIssuer(link.issuer)?.provider.id ?? link.issuer
      const detail = { provider, sub: link.sub, ...why }
      await base.acts.unlinkProvider(link, signIns, detail)
      base.tell('federation.unlinked', detail)
    },
    signOutUrl: async (uid, next, state) => {
      const signIn = await store.signInOfSession(uid)
      const party = signIn && parties.byIssuer(signIn.issuer)
      if (signIn === undefined || party?.provider.signOut !== 'provider') return undefined
      const hint = openTokens(base.masterKey, signIn.id, signIn.sealed)?.rawIdToken
      return party.endSessionUrl(hint, next, state).catch(() => undefined)
    },
    ages: async () => {
      const oldest = await store.oldestAsked(now())
      return new Map([...oldest].map(([provider, atMs]) => [provider, Math.max(0, (now() - atMs) / 1000)]))
    },
    reconfigured: () => background.endForeign(),
    close: async () => {
      await background.close()
      await parties.close()
    },
  }
}

function lastFirst(providers: readonly IdentityProvider[], last: string | undefined): readonly IdentityProvider[] {
  return [...providers].sort((a, b) => Number(b.id === last) - Number(a.id === last))
}

/** A provider's silence is told once, and again when it is for another reason, and that it is over. */
function reachability({ record, tell }: Base): Pick<FederationParts, 'reached' | 'unreached'> {
  const silent = new Map<string, string>()
  const note = async (
    event: string,
    detail: Readonly<Record<string, unknown>>,
    level: 'info' | 'warn',
  ): Promise<void> => {
    await record(event, detail, level).catch((error: unknown) => tell('issuer.fault', faultOf(error), 'error'))
  }
  return {
    reached: async ({ id }) => {
      if (silent.delete(id)) await note('federation.reachable', { provider: id }, 'info')
    },
    unreached: async ({ id }, fault) => {
      const reason = fault.kind === 'misconfigured' ? 'provider_misconfigured' : 'provider_unreachable'
      if (silent.get(id) === reason) return
      silent.set(id, reason)
      await note('federation.unreachable', { provider: id, reason, detail: detailOf(fault) }, 'warn')
    },
  }
}

function detailOf(fault: ProviderFault): string {
  return fault.kind === 'misconfigured' ? `${fault.what}: ${fault.detail}` : fault.detail
}

function createFailures(now: () => number): FederationParts['failures'] {
  const seen = new Map<string, { second: number; count: number }>()
  return {
    mayFail: (provider) => {
      const second = Math.floor(now() / 1000)
      const last = seen.get(provider)
      const count = last?.second === second ? last.count + 1 : 1
      seen.set(provider, { second, count })
      return count <= MOST_FAILURES
    },
  }
}
