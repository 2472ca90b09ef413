import { NO_WISH } from '../federation/federation.ts'
import { GUARD_FIELD, guardValue, isGuarded } from '../http/form-guard.ts'
import { queryOf } from '../http/request.ts'
import { redirect } from '../http/response.ts'
import type { ConnectedWay, WayToConnect } from '../pages/ways-in.ts'
import { waysOf } from '../people/factor-rules.ts'
import { isStrongest, sendSignedOut, stillStands } from './freshness.ts'
import {
  ACCOUNT_PATH,
  accountForm,
  ask,
  guardedBy,
  isConfirmed,
  leadBack,
  posted,
  refuse,
  type SignedInRequest,
} from './request.ts'

/** How old a sign-in may be that connects a further way in. */
const FRESH_SECONDS = 300

/** The providers that this person is connected with, and those that could be. */
export async function waysIn(
  call: SignedInRequest,
): Promise<{ readonly connected: readonly ConnectedWay[]; readonly others: readonly WayToConnect[] }> {
  const { context, session } = call
  const links = await context.store.providerLinks(session.user.sub)
  const { providers } = context.settings()
  const guard = guardValue(context.masterKey, guardedBy(session))
  return {
    connected: links.map(({ issuer, linkedAt }) => ({
      name: nameOf(call, issuer),
      since: linkedAt,
      disconnect: accountForm(call, 'unlink', { issuer }),
    })),
    others: providers
      .filter(({ issuer }) => links.every((link) => link.issuer !== issuer))
      .map(({ id, name }) => {
        const query = new URLSearchParams({ provider: id, [GUARD_FIELD]: guard })
        return { name, url: `${ACCOUNT_PATH}/connect?${query}` }
      }),
  }
}

/** Leads to a provider whose account is to become a further way in. Only a moment after a sign-in. */
export async function connectProvider(call: SignedInRequest): Promise<void> {
  const { context, request, response, session } = call
  const query = queryOf(request)
  if (!isGuarded(context.masterKey, guardedBy(session), query)) {
    return refuse(call, 403, {
      title: 'This link can’t be accepted',
      what: 'It does not belong to your account page, or belongs to a sign-in that is over. Nothing was changed.',
    })
  }
  const { sub } = session.user
  const provider = query.get('provider') ?? ''
  if (context.now() / 1000 - session.signedInAt > FRESH_SECONDS || !(await isStrongest(call))) {
    return leadBack(call, { kind: 'connected', outcome: 'stale', provider, atMs: context.now() }, sub)
  }
  const purpose = { kind: 'connect', sub, session: session.uid } as const
  const departure = await context.federation.depart(request, response, provider, purpose, NO_WISH)
  if (departure === undefined) return redirect(response, ACCOUNT_PATH)
  redirect(response, departure.kind === 'go' ? departure.url : `${ACCOUNT_PATH}?problem=${departure.reason}`)
}

/** Takes a provider away as a way in, once the person has said so twice, with everything that came from it. Never the last one. */
export async function unlinkProvider(call: SignedInRequest): Promise<void> {
  const { context, session } = call
  const { sub } = session.user
  const issuer = posted(call, 'issuer')
  const links = await context.store.providerLinks(sub)
  const link = links.find((each) => each.issuer === issuer)
  const name = nameOf(call, issuer)
  if (link === undefined) return leadBack(call, { kind: 'unlinked', provider: name, atMs: context.now() }, sub)
  if (!(await hasOtherWay(call, issuer))) {
    return leadBack(call, { kind: 'connected', outcome: 'last', provider: name, atMs: context.now() }, sub)
  }
  if (!isConfirmed(call)) {
    const consequences = [
      `You can’t sign in with ${name} any more, and its groups don’t count for you here.`,
      'Browsers and devices that you signed in that way are signed out at once.',
    ]
    return ask(call, 'unlink', { issuer }, { question: `Disconnect ${name}?`, consequences, act: 'Disconnect' })
  }
  const gone = await context.store.unit(
    async () => {
      // Another way may go at the same time.
      await context.store.hold({ wholeSub: sub })
      if (!(await stillStands(call))) return 'ended'
      if (!(await hasOtherWay(call, issuer))) return 'last'
      await context.federation.unlink(link, { by: sub })
      return 'gone'
    },
    (done) => done === 'gone',
  )
  if (gone === 'ended') return sendSignedOut(call)
  const atMs = context.now()
  if (gone === 'gone') leadBack(call, { kind: 'unlinked', provider: name, atMs }, sub)
  else leadBack(call, { kind: 'connected', outcome: 'last', provider: name, atMs }, sub)
}

/** A password that can be used, a passkey, or another provider of the file in force. */
async function hasOtherWay({ context, session }: SignedInRequest, issuer: string): Promise<boolean> {
  const account = (await context.store.userBySub(session.user.sub)) ?? session.user
  const ways = await waysOf(context.store, account, context.settings(), context.passkeys.offered())
  return ways.password || ways.passkeys > 0 || ways.providers.some((each) => each !== issuer)
}

function nameOf({ context }: SignedInRequest, issuer: string): string {
  const provider = context.settings().providers.find((each) => each.issuer === issuer)
  return provider?.name ?? URL.parse(issuer)?.host ?? issuer
}
