import type {
  AppPasswordQuestion,
  BackChannelKind,
  BackChannelTerms,
  Exchanged,
  ProofUse,
  Throttled,
} from '../../core/back-channel.ts'
import { APP_PASSWORD_CLIENT } from '../clients/reserved.ts'
import { seconds } from '../context.ts'
import type { BackChannel } from '../issuer.ts'
import { endOfAppPassword } from '../people/app-passwords.ts'
import { createBrowserSessions } from './browser-sessions.ts'
import { exchange } from './exchange.ts'
import { redeem, type SessionParts } from './redemption.ts'
import { beginSignIn } from './sign-in-state.ts'
import { makeTicket, readTicket } from './tickets.ts'

type Answers = {
  readonly [K in BackChannelKind]: (question: BackChannelTerms[K]['question']) => Promise<BackChannelTerms[K]['answer']>
}

/** The issuer's end of the back channel. Who asks is NOT checked: it is in process, or has shown the feed token. */
export function createBackChannel(parts: SessionParts): BackChannel {
  const sessions = createBrowserSessions(parts)
  const tries = createTries()
  const answers: Answers = {
    session: sessions.answer,
    app_password: (question) => appPassword(parts, tries, question),
    ticket: ({ ticket }) => readTicket(parts, ticket),
    make_ticket: async (question) => makeTicket(parts, question),
    begin_sign_in: async (question) => beginSignIn(parts.context, question),
    redeem: (question) => redeem(parts, sessions.isSignedIn, question),
    open_session: sessions.open,
    proof: async (asked) => ({ first: await isFirstUse(parts, asked) }),
    weak_sign_in: async ({ sub, clientId, need }) => {
      await parts.context.stepUps.note({ sub, clientId, need })
      return { noted: true }
    },
    used: async ({ uses }) => {
      // A gateway whose clock is ahead must not make a use that is yet to come.
      const latest = seconds(parts.context)
      await parts.context.store.touchAuthorizations(
        new Map(Object.entries(uses).map(([gid, at]) => [gid, Math.min(at, latest)])),
      )
      return { noted: true }
    },
    sign_out: async (question) => ({ ended: await sessions.signOut(question) }),
  }
  return { ask: (kind, question) => answers[kind](question) }
}

/** Longer than any proof counts: what a gateway says of it is not taken further. */
const MOST_PROOF_SECONDS = 600

async function isFirstUse({ context }: SessionParts, { key, expiresAt }: ProofUse): Promise<boolean> {
  const until = Math.min(Math.ceil(expiresAt), seconds(context) + MOST_PROOF_SECONDS)
  return context.store.addModel('GatewayProof', key, {}, until)
}

/** Its token is for the resource that it was made for, whichever is asked: a gateway tells another by the audience. */
async function appPassword(
  parts: SessionParts,
  tries: Tries,
  { hash, from }: AppPasswordQuestion,
): Promise<Exchanged | Throttled> {
  const { store, settings, now } = parts.context
  const stampMs = now()
  const [record] = await store.appPasswords({ hash })
  if (record === undefined) return tries.unknown(from, stampMs)
  const endsAt = endOfAppPassword(record, settings().appPasswords)
  if (endsAt <= seconds(parts.context)) return { kind: 'gone', why: 'expired' }
  const { gid, sub, resource, scopes } = record
  const holding = {
    gid,
    sub,
    resource,
    scopes,
    clientId: APP_PASSWORD_CLIENT,
    authTime: undefined,
    amr: undefined,
    acr: undefined,
    endsAt,
  }
  return exchange(parts, holding, stampMs)
}

/** How many unknown passwords came from where; a good one is never asked about. */
interface Tries {
  unknown(from: string, nowMs: number): Exchanged | Throttled
}

const MOST_UNKNOWN = 10
const WINDOW_MS = 60_000
const MOST_PLACES = 10_000

function createTries(): Tries {
  const windows = new Map<string, { readonly endsAtMs: number; count: number }>()
  return {
    unknown: (from, nowMs) => {
      for (const [place, { endsAtMs }] of windows) {
        if (endsAtMs > nowMs && windows.size < MOST_PLACES) break
        windows.delete(place)
      }
      const known = windows.get(from)
      const window = known !== undefined && known.endsAtMs > nowMs ? known : { endsAtMs: nowMs + WINDOW_MS, count: 0 }
      window.count += 1
      windows.delete(from)
      windows.set(from, window)
      if (window.count <= MOST_UNKNOWN) return { kind: 'gone', why: 'unknown' }
      return { kind: 'throttled', retryAfterSeconds: Math.ceil((window.endsAtMs - nowMs) / 1_000) }
    },
  }
}
