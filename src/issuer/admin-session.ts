import type { UserRecord } from '../store/store.ts'

/** Who opened the operator's page, from where. */
export interface AdminVisitor {
  readonly address: string
  readonly requestId: string
  readonly userAgent: string
}

export interface OpenAdminSession {
  /** Good for the API, for this request. */
  readonly token: string
  readonly user: UserRecord
  /** What its forms carry, so that no other page's are taken. */
  readonly guard: string
  readonly signedInAt: number | undefined
  /** What the cookie should hold from now on. */
  readonly cookie: string
}

/** A form of the operator's page that met a demand for a fresh sign-in, to be confirmed after it. */
interface KeptForm {
  readonly sub: string
  /** Below `/admin`. */
  readonly path: string
  readonly form: string
}

/** What the operator's pages keep for a few minutes, in the store: whichever instance is asked next has it. */
export interface AdminKeepsakes {
  /** Keeps a form for five minutes; answers its id. */
  keepForm(form: KeptForm): Promise<string>
  /** Undefined for another person's, a used or an old one. */
  lookForm(id: string, sub: string): Promise<KeptForm | undefined>
  /** As {@link AdminKeepsakes.lookForm}; answers it to one caller. */
  takeForm(id: string, sub: string): Promise<KeptForm | undefined>
  /** A ticket that opens one stream within a minute. @param guard of the session that it is for. */
  makeTicket(guard: string): string
  /** True once. */
  spendTicket(ticket: string, guard: string): Promise<boolean>
}

/** Signing in to the operator's page. Tokens never leave the process. */
export interface AdminSignIn {
  readonly keepsakes: AdminKeepsakes
  /** Where the browser goes, and what its flow cookie holds. @param maxAge how old the sign-in may be, seconds. */
  begin(target: string, maxAge?: number, acr?: string): { readonly location: string; readonly flow: string }
  /** Takes what the browser brings back. */
  redeem(
    parameters: URLSearchParams,
    flow: string | undefined,
    visitor: AdminVisitor,
  ): Promise<
    | { readonly kind: 'signed_in'; readonly cookie: string; readonly target: string }
    | { readonly kind: 'denied' | 'failed'; readonly detail: string; readonly target: string }
  >
  /** The session behind a cookie, with a new token; undefined: there is none, or it is over. */
  open(cookie: string | undefined, idleSeconds: number): Promise<OpenAdminSession | undefined>
  end(cookie: string | undefined, visitor: AdminVisitor): Promise<void>
}
