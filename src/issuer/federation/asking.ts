import { setTimeout as delay } from 'node:timers/promises'
import type { ProviderSignIn } from '../../store/provider-store.ts'
import { faultOf } from '../context.ts'
import type { AskSource, Standing } from './federation.ts'
import { type FederationParts, stateGroups } from './federation-parts.ts'
import { isFault, orFault, type ProviderFault } from './provider/provider-fault.ts'
import { type GroupsWord, readGroups } from './provider/provider-groups.ts'
import { notAllowed, personKey } from './provider/provider-person.ts'
import type { Claims, ProviderTokens, RelyingParty } from './provider/relying-party.ts'
import { openTokens, type SignInTokens, sealTokens } from './sign-in-tokens.ts'

/** Whether what a provider said at a sign-in still stands. */
export interface Asking {
  /** Asks the provider when its word is too old, or at once; one question at a time for each sign-in. */
  standing(signIn: ProviderSignIn | undefined, source: AskSource, atOnce?: boolean): Promise<Standing>
}

const CLAIM_MS = 20_000
const RETRY_SECONDS = 10
/** While the last word serves, a silent provider is asked no more often than this. */
const PAUSE_MS = 10_000

/** Asks providers again for what they said at a sign-in. */
export function createAsking(parts: FederationParts): Asking {
  const flights = new Map<string, { readonly beganMs: number; readonly flight: Promise<Standing> }>()
  const silentSince = new Map<string, number>()
  const asking: Asking = {
    standing: async (signIn, source, atOnce = false) => {
      if (signIn === undefined) return { kind: 'own' }
      if (signIn.ended) return { kind: 'ended' }
      const party = parts.parties.byIssuer(signIn.issuer)
      if (party === undefined) return { kind: 'ended' }
      if (isOver(parts, signIn)) return end(parts, signIn, 'without_recheck', source)
      const { recheckSeconds } = party.provider
      if (!atOnce && parts.now() - signIn.askedAtMs <= recheckSeconds * 1000) return good(parts, signIn)
      const silent = silentSince.get(signIn.id)
      const pausing = !atOnce && silent !== undefined && parts.now() - silent < PAUSE_MS
      if (pausing && serves(parts, party, signIn)) return good(parts, signIn)
      const under = flights.get(signIn.id)
      if (under !== undefined && !isDueSince(signIn, under.beganMs)) return under.flight
      if (under !== undefined) {
        // What it was asked before a logout token came says nothing of what the token tells.
        await under.flight.catch(() => undefined)
        return asking.standing(await parts.store.providerSignIn(signIn.id), source, atOnce)
      }
      const beganMs = parts.now()
      const flight = parts
        .apart(() => askInTurn(parts, party, signIn, source, atOnce))
        .then((standing) => {
          if (standing.silent) silentSince.set(signIn.id, parts.now())
          else {
            silentSince.delete(signIn.id)
            parts.refusedSince.delete(signIn.id)
          }
          return standing.standing
        })
        .finally(() => flights.delete(signIn.id))
      flights.set(signIn.id, { beganMs, flight })
      return flight
    },
  }
  return asking
}

function isDueSince({ dueAtMs }: ProviderSignIn, sinceMs: number): boolean {
  return dueAtMs !== undefined && dueAtMs > sinceMs
}

interface Asked {
  readonly standing: Standing
  readonly silent: boolean
}

/** One process asks; the others wait for what it hears. */
async function askInTurn(
  parts: FederationParts,
  party: RelyingParty,
  signIn: ProviderSignIn,
  source: AskSource,
  atOnce: boolean,
): Promise<Asked> {
  const { store, now } = parts
  for (const deadline = performance.now() + CLAIM_MS; ; await delay(50)) {
    const claimed = await store.claimSignIn(signIn.id, now(), now() + CLAIM_MS)
    const current = await store.providerSignIn(signIn.id)
    if (current === undefined || current.ended) return { standing: { kind: 'ended' }, silent: false }
    if (!claimed && performance.now() < deadline) continue
    try {
      const fresh = now() - current.askedAtMs <= party.provider.recheckSeconds * 1000
      const heard = current.askedAtMs > signIn.askedAtMs && !isDueSince(current, current.askedAtMs)
      if (fresh && (!atOnce || heard)) {
        return { standing: await good(parts, current), silent: false }
      }
      return await ask(parts, party, current, source)
    } finally {
      await store.releaseSignIn(signIn.id)
    }
  }
}

async function ask(
  parts: FederationParts,
  party: RelyingParty,
  signIn: ProviderSignIn,
  source: AskSource,
): Promise<Asked> {
  const askedAtMs = parts.now()
  const tokens = openTokens(parts.masterKey, signIn.id, signIn.sealed)
  if (tokens === undefined) {
    return { standing: await end(parts, signIn, 'key_changed', source), silent: false }
  }
  const heard = await orFault(() => hear(parts, party, signIn, tokens))
  if (!isFault(heard)) return { standing: await take(parts, party, signIn, heard, askedAtMs, source), silent: false }
  switch (heard.kind) {
    case 'ended':
      return { standing: await end(parts, signIn, 'invalid_grant', source), silent: false }
    case 'subject_changed':
      return { standing: await end(parts, signIn, 'subject_changed', source), silent: false }
    case 'silent':
    case 'misconfigured':
    case 'invalid_token':
      return { standing: await bear(parts, party, signIn, heard), silent: true }
  }
}

interface Heard {
  readonly tokens: SignInTokens
  readonly idToken: Claims | undefined
  readonly userinfo: Claims | undefined
  /** Nothing could be asked: there is nothing to ask with. */
  readonly nothing: boolean
}

/** Asks by refresh grant, then at userinfo where the file says so; with the only token there is while it lives. */
async function hear(
  parts: FederationParts,
  party: RelyingParty,
  signIn: ProviderSignIn,
  tokens: SignInTokens,
): Promise<Heard | ProviderFault> {
  if (tokens.refreshToken === undefined) return hearByOnlyToken(parts, party, tokens)
  const keep = (next: string): Promise<void> => {
    const sealed = sealTokens(parts.masterKey, signIn.id, { ...tokens, refreshToken: next })
    return parts.store.keepTokens(signIn.id, sealed)
  }
  const answer = await party.refresh(tokens.refreshToken, keep)
  const next = { ...tokens, refreshToken: answer.refreshToken ?? tokens.refreshToken }
  const kept = answer.rawIdToken === undefined ? next : { ...next, rawIdToken: answer.rawIdToken }
  const changed = answer.idToken !== undefined && changedPerson(party, signIn, tokens, answer.idToken)
  if (changed) return { kind: 'subject_changed', detail: 'another person than before' }
  const userinfo = looksAtUserinfo(party, answer) ? await party.userinfo(answer.accessToken) : undefined
  if (userinfo === 401) return { kind: 'ended', detail: 'userinfo refuses the new token' }
  if (userinfo !== undefined && userinfo.sub !== tokens.subject) {
    return { kind: 'subject_changed', detail: 'userinfo tells of another person' }
  }
  return { tokens: kept, idToken: answer.idToken, userinfo, nothing: false }
}

async function hearByOnlyToken(
  parts: FederationParts,
  party: RelyingParty,
  tokens: SignInTokens,
): Promise<Heard | ProviderFault> {
  const { accessToken, accessUntilMs } = tokens
  const nothing = { tokens, idToken: undefined, userinfo: undefined, nothing: true }
  if (accessToken === undefined || accessUntilMs === undefined || parts.now() >= accessUntilMs) return nothing
  const userinfo = await party.userinfo(accessToken)
  if (userinfo === undefined) return nothing
  if (userinfo === 401) {
    // It may have expired on the way.
    return parts.now() < accessUntilMs ? { kind: 'ended', detail: 'userinfo refuses the token' } : nothing
  }
  if (userinfo.sub !== tokens.subject) return { kind: 'subject_changed', detail: 'userinfo tells of another person' }
  return { tokens, idToken: undefined, userinfo, nothing: false }
}

function changedPerson(party: RelyingParty, signIn: ProviderSignIn, tokens: SignInTokens, idToken: Claims): boolean {
  if (idToken.sub !== tokens.subject) return true
  // Some leave claims out of an ID token that a refresh gives; what stands there must be the same.
  return party.provider.person in idToken && personKey(party.provider, idToken) !== signIn.person
}

/** Where no ID token came, userinfo is the only place that groups could stand in. */
export function looksAtUserinfo({ provider }: RelyingParty, answer: Pick<ProviderTokens, 'idToken'>): boolean {
  return provider.groups !== undefined && (provider.groups.from !== 'id_token' || answer.idToken === undefined)
}

/** Takes a good word in: who may come in still, and with which groups. */
async function take(
  parts: FederationParts,
  party: RelyingParty,
  signIn: ProviderSignIn,
  heard: Heard,
  askedAtMs: number,
  source: AskSource,
): Promise<Standing> {
  const { provider } = party
  const rules = provider.groups
  const groups: GroupsWord | undefined =
    rules === undefined || heard.nothing ? undefined : readGroups(rules, heard, heard.tokens.groupsPlace)
  if (groups?.kind === 'overage') return end(parts, signIn, 'groups_overage', source)
  if (groups?.kind === 'unreadable') {
    return bear(parts, party, signIn, { kind: 'misconfigured', what: 'groups_form', detail: groups.detail })
  }
  const unmet = heard.nothing ? undefined : notAllowed(provider, { ...heard, groups }, false)
  if (unmet !== undefined) return end(parts, signIn, 'not_allowed', source, { unmet })
  if (groups?.kind === 'said' || groups?.kind === 'absent') {
    await stateGroups(parts, signIn, groups.kind === 'said' ? groups.groups : [], askedAtMs, source, groups.kind)
  } else if (rules !== undefined && (await isWordTooOld(parts, party, signIn))) {
    return end(parts, signIn, 'without_recheck', source)
  }
  const place = groups?.kind === 'said' ? groups.place : heard.tokens.groupsPlace
  const sealed = sealTokens(parts.masterKey, signIn.id, { ...heard.tokens, groupsPlace: place })
  await parts.store.noteAnswer(signIn.id, { sealed, askedAtMs, endsAtMs: signIn.endsAtMs })
  await parts.reached(provider)
  return good(parts, signIn)
}

/** Groups that nothing confirms any more don't count for longer than a sign-in without a way to ask again. */
async function isWordTooOld(
  parts: FederationParts,
  { provider }: RelyingParty,
  signIn: ProviderSignIn,
): Promise<boolean> {
  const link = await parts.store.providerLink(signIn.issuer, signIn.person)
  return link !== undefined && parts.now() - link.statedAtMs > provider.withoutRecheckSeconds * 1000
}

/** The last word serves for a while; then nothing is given, and open tunnels close. */
async function bear(
  parts: FederationParts,
  party: RelyingParty,
  signIn: ProviderSignIn,
  fault: ProviderFault,
): Promise<Standing> {
  await parts.unreached(party.provider, fault)
  if (serves(parts, party, signIn)) return good(parts, signIn)
  await refuseOnce(parts, party, signIn)
  return { kind: 'unavailable', retryAfterSeconds: RETRY_SECONDS }
}

/** Nothing is given while the provider is silent: what is refused once, is refused until its next word. */
async function refuseOnce(parts: FederationParts, { provider }: RelyingParty, signIn: ProviderSignIn): Promise<void> {
  if (parts.refusedSince.get(signIn.id) === signIn.askedAtMs) return
  parts.refusedSince.set(signIn.id, signIn.askedAtMs)
  const clients = (await parts.store.authorizationsOfSignIn(signIn.id)).map(({ clientId }) => clientId)
  if (clients.length === 0) return
  await parts.acts.refuseTokens(signIn.sub, [...new Set(clients)], `provider ${provider.id}`)
}

function serves({ now }: FederationParts, { provider }: RelyingParty, { askedAtMs }: ProviderSignIn): boolean {
  return now() - askedAtMs <= provider.onUnreachableSeconds * 1000
}

function isOver({ now }: FederationParts, { endsAtMs }: ProviderSignIn): boolean {
  return endsAtMs !== undefined && endsAtMs <= now()
}

/** What the last word of the provider comes to, by the file in force. */
export async function good(
  { store, parties }: Pick<FederationParts, 'store' | 'parties'>,
  signIn: ProviderSignIn,
): Promise<Standing> {
  const link = await store.providerLink(signIn.issuer, signIn.person)
  const party = parties.byIssuer(signIn.issuer)
  if (link === undefined || link.sub !== signIn.sub || party === undefined) return { kind: 'ended' }
  const groups = party.provider.groups === undefined ? [] : link.groups
  return { kind: 'good', groups, provider: signIn.provider, signIn: signIn.id }
}

async function end(
  { acts, tell, revokeThere }: FederationParts,
  signIn: ProviderSignIn,
  reason: string,
  source: AskSource,
  more: Readonly<Record<string, unknown>> = {},
): Promise<Standing> {
  const why = { provider: signIn.provider, sub: signIn.sub, reason, source, ...more }
  if (reason !== 'invalid_grant') revokeThere(signIn)
  await acts.endProviderSignIns([signIn], false, why).catch((error: unknown) => {
    tell('issuer.fault', faultOf(error), 'error')
    throw error
  })
  tell('federation.ended', why, 'warn')
  return { kind: 'ended' }
}
