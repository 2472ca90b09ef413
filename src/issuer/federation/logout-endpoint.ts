import type { ProviderSignIn } from '../../store/provider-store.ts'
import { isForm } from '../http/request.ts'
import { sendError } from '../http/response.ts'
import type { FederationParts } from './federation-parts.ts'
import type { CallbackRequest } from './onward.ts'
import { readLogoutToken } from './provider/logout-token.ts'
import { isFault, orFault } from './provider/provider-fault.ts'
import { personKey } from './provider/provider-person.ts'
import type { RelyingParty } from './provider/relying-party.ts'
import { openTokens } from './sign-in-tokens.ts'

const LARGEST_BODY = 16 * 1024

/** Hears that somebody signed out at the provider (OpenID Connect Back-Channel Logout 1.0). */
export async function answerLogout({ parts, party, request, response }: CallbackRequest): Promise<void> {
  const provider = party.provider.id
  response.setHeader('cache-control', 'no-store')
  const token = isForm(request) ? await readToken(request) : undefined
  const notice =
    token === undefined
      ? ({ kind: 'bad', detail: 'no form of at most 16 KiB with one logout_token' } as const)
      : await readLogoutToken(party, token, Math.floor(parts.now() / 1000))
  if (notice.kind === 'unavailable') {
    return sendError(response, 503, 'temporarily_unavailable', 'the keys can’t be had', { 'retry-after': '10' })
  }
  if (notice.kind === 'bad') {
    if (!parts.failures.mayFail(provider)) {
      return sendError(response, 429, 'temporarily_unavailable', 'too many that fail', { 'retry-after': '1' })
    }
    await parts.record('federation.logout_token', { provider, outcome: 'refused', detail: notice.detail }, 'warn')
    return sendError(response, 400, 'invalid_request', notice.detail)
  }
  const subject = notice.sub === undefined ? undefined : { ...notice.claims, sub: notice.sub }
  const done = await carryOut(parts, party, subject, notice.sid)
  await parts.record('federation.logout_token', { provider, source: 'logout', outcome: 'ok', ...done })
  response.writeHead(200, { 'content-length': 0 })
  response.end()
}

/** What a logout token came to; `sub` is the account's, where all of it was one's. */
interface Done {
  readonly sub: string | undefined
  readonly ended: number
  readonly asked: number
}

/**
 * Without `sid`, everything of the person ends. With one, the sign-ins of that session end, and those of the same person that never
 * named one; for there are providers that end all sessions and name one, the person's others are asked at once. The person is whom `sub`
 * means; where there is none, who had that `sid`.
 */
async function carryOut(
  parts: FederationParts,
  party: RelyingParty,
  subject: Readonly<Record<string, unknown>> | undefined,
  sid: string | undefined,
): Promise<Done> {
  const { store, acts, now } = parts
  const { id: provider, issuer } = party.provider
  const bySid = sid === undefined ? [] : await store.providerSignIns({ issuer, sid })
  const people = new Set(
    subject === undefined ? bySid.map(({ person }) => person) : await peopleOf(parts, party, subject),
  )
  const named = new Set(bySid.map(({ id }) => id))
  const own = (await Promise.all([...people].map((person) => store.providerSignIns({ issuer, person })))).flat()
  const all = [...bySid, ...own.filter(({ id }) => !named.has(id))]
  const ends = (signIn: ProviderSignIn) => sid === undefined || named.has(signIn.id) || signIn.sid === undefined
  const ending = all.filter(ends)
  const others = all.filter((signIn) => !ends(signIn))
  const why = { reason: 'logout_token', source: 'logout' }
  for (const signIn of ending) {
    await acts.endProviderSignIns([signIn], sid !== undefined, why)
    // One that native clients live by stands, and is asked at once with what it was given.
    if ((await store.providerSignIn(signIn.id))?.ended === true) parts.revokeThere(signIn)
    parts.tell('federation.ended', { provider, sub: signIn.sub, ...why })
  }
  await store.makeDue(
    others.map(({ id }) => id),
    now(),
  )
  parts.wake()
  const subs = new Set(all.map((signIn) => signIn.sub))
  return { sub: subs.size === 1 ? all[0]?.sub : undefined, ended: ending.length, asked: others.length }
}

/** Whom a `sub` means: the person itself, or where another claim is the person, those whose tokens named that `sub`. */
async function peopleOf(
  { store, masterKey }: FederationParts,
  { provider }: RelyingParty,
  subject: Readonly<Record<string, unknown>>,
): Promise<readonly string[]> {
  if (provider.person === 'sub') {
    const person = await orFault(async () => ({ key: personKey(provider, subject) }))
    return isFault(person) ? [] : [person.key]
  }
  const standing = await store.providerSignIns({ issuer: provider.issuer })
  return standing
    .filter(({ id, sealed }) => openTokens(masterKey, id, sealed)?.subject === subject.sub)
    .map(({ person }) => person)
}

async function readToken(request: AsyncIterable<Buffer>): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of request) {
      length += chunk.length
      if (length > LARGEST_BODY) return undefined
      chunks.push(chunk)
    }
  } catch {
    return undefined
  }
  const [token, ...more] = new URLSearchParams(Buffer.concat(chunks).toString('utf8')).getAll('logout_token')
  return more.length === 0 ? token : undefined
}
