import type { WeakSignIn } from './assurance.ts'
import type { SignInNeed } from './levels.ts'

/**
 * What gateways ask the issuer directly, not through a browser: credentials that are no tokens are exchanged for access tokens there. Plain data, for
 * it crosses processes. Times are NumericDate, seconds.
 */
export interface BackChannelTerms {
  readonly session: { readonly question: SessionQuestion; readonly answer: SessionAnswer }
  readonly app_password: { readonly question: AppPasswordQuestion; readonly answer: Exchanged | Throttled }
  readonly ticket: { readonly question: TicketQuestion; readonly answer: TicketAnswer }
  readonly make_ticket: { readonly question: NewTicket; readonly answer: MadeTicket }
  readonly begin_sign_in: { readonly question: NewSignIn; readonly answer: BegunSignIn }
  readonly redeem: { readonly question: CallbackQuestion; readonly answer: CallbackAnswer }
  readonly open_session: { readonly question: OpenQuestion; readonly answer: OpenedSession }
  /** A request was refused for the sign-in behind its token: its client's next authorization asks for a better one. */
  readonly weak_sign_in: { readonly question: WeakSignIn; readonly answer: { readonly noted: boolean } }
  readonly proof: { readonly question: ProofUse; readonly answer: { readonly first: boolean } }
  readonly sign_out: { readonly question: SignOutQuestion; readonly answer: { readonly ended: boolean } }
  readonly used: { readonly question: UsedQuestion; readonly answer: { readonly noted: boolean } }
}

/** A DPoP proof (RFC 9449 §11.1) that is to count once over all gateways and instances of a store. */
export interface ProofUse {
  /** Names the key and the proof's `jti`. */
  readonly key: string
  /** NumericDate, seconds: when the proof counts no more. */
  readonly expiresAt: number
}

export type BackChannelKind = keyof BackChannelTerms

/** What it was exchanged for. `goodUntil`: keep the answer until then, and ask anew. */
export type Exchanged =
  | { readonly kind: 'token'; readonly token: string; readonly goodUntil: number }
  /** There is none, or it is over. */
  | { readonly kind: 'gone'; readonly why: 'unknown' | 'expired' | 'revoked' }
  /** It stands, but its person may have nothing of the resource now. */
  | { readonly kind: 'refused'; readonly detail: string }

/** Authorizations that were used at a gateway; open tunnels are uses. */
interface UsedQuestion {
  /** When each was used last, by its id. */
  readonly uses: Readonly<Record<string, number>>
}

export interface SessionQuestion {
  /** SHA-256 of the cookie's id, base64url. */
  readonly idHash: string
  /** The host that the cookie belongs to, as an origin. */
  readonly origin: string
  readonly resource: string
  /** Its idle end moves: it was used. */
  readonly used: boolean
}

export type SessionAnswer =
  | { readonly kind: 'gone'; readonly why: 'unknown' | 'expired' | 'revoked' }
  | {
      readonly kind: 'session'
      readonly idleExpiresAt: number
      readonly expiresAt: number
      /** When the idle end may be moved again. */
      readonly movesAt: number
      /** When somebody last signed in to it. */
      readonly signedInAt: number
      readonly exchange: Exchanged | { readonly kind: 'none' }
    }

/** There is no such password, and too many were tried from where this one came. */
export interface Throttled {
  readonly kind: 'throttled'
  readonly retryAfterSeconds: number
}

export interface AppPasswordQuestion {
  /** Address or network that it came from. */
  readonly from: string
  /** SHA-256 of the whole password, base64url. */
  readonly hash: string
}

interface TicketQuestion {
  readonly ticket: string
}

export type TicketAnswer =
  | { readonly kind: 'bad' }
  | { readonly kind: 'expired' }
  | { readonly kind: 'ticket'; readonly place: TicketPlace; readonly expiresAt: number; readonly exchange: Exchanged }

/** Where a ticket opens. */
export interface TicketPlace {
  readonly resource: string
  /** SHA-256 of host, line feed and path, base64url. */
  readonly hash: string
  /** Segments of a folder's path; undefined: the ticket is for one path. */
  readonly depth: number | undefined
}

export interface NewTicket {
  /** The authorization that it hangs on. */
  readonly gid: string
  readonly scope: readonly string[]
  readonly place: TicketPlace
  readonly expiresAt: number
}

export type MadeTicket = { readonly kind: 'made'; readonly ticket: string } | { readonly kind: 'too_long' }

export interface NewSignIn {
  readonly origin: string
  readonly resource: string
  /** Where it ends: a path of the origin, with its query. */
  readonly target: string
  /** SHA-256 of the flow cookie, base64url: the browser that it is bound to. */
  readonly flow: string
  /** How often it was begun before without an end. */
  readonly again: number
  /** What a refused request needs of the sign-in. */
  readonly need?: SignInNeed | undefined
}

export interface BegunSignIn {
  /** Where the browser goes. */
  readonly location: string
}

export interface CallbackQuestion {
  readonly origin: string
  /** Parameters of the authorization response. */
  readonly parameters: Readonly<Record<string, string>>
  /** SHA-256 of the flow cookie; undefined: there is none. */
  readonly flow: string | undefined
  /** SHA-256 of the session cookie; undefined: there is none. */
  readonly idHash: string | undefined
}

export type CallbackAnswer =
  /** Signed in: judge the token, then open the session. */
  | {
      readonly kind: 'token'
      readonly token: string
      readonly resource: string
      readonly target: string
      readonly opening: string
    }
  /** Nothing new, but genuine: go on to where it began. `isSignedIn`: this browser has a session for it. */
  | {
      readonly kind: 'missed'
      readonly target: string
      readonly resource: string
      readonly again: number
      readonly isSignedIn: boolean
    }
  /** The person may have nothing of it, or did not want to. */
  | { readonly kind: 'denied'; readonly detail: string }
  | { readonly kind: 'failed'; readonly detail: string }

export interface OpenQuestion {
  readonly opening: string
  readonly idHash: string | undefined
  /** From User-Agent, for the person to know the browser by. */
  readonly userAgent: string
}

export type OpenedSession =
  | { readonly kind: 'opened'; readonly id: string; readonly maxAgeSeconds: number }
  | { readonly kind: 'failed'; readonly detail: string }

export interface SignOutQuestion {
  readonly idHash: string
  readonly origin: string
  /** Which request asked for it, for the audit line. */
  readonly requestId?: string | undefined
  readonly address?: string | undefined
}
