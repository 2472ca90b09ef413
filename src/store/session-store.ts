/** A browser's session at one origin of the gateway. Times are NumericDate, seconds. */
export interface BrowserSessionRecord {
  /** Opaque and random; the ids in cookies are made from it. */
  readonly id: string
  /** Counts the ids that it has had. */
  readonly generation: number
  readonly origin: string
  readonly sub: string
  /** Lookup key of the issuer's session that it was opened under. */
  readonly issuerSession: string
  readonly createdAt: number
  /** What its idle end is counted from. */
  readonly movedAt: number
  readonly signedInAt: number
  readonly resources: readonly SessionResource[]
}

/** What a session has of one resource: an authorization of its own. */
export interface SessionResource {
  readonly resource: string
  readonly gid: string
  readonly authTime: number | undefined
  readonly amr: readonly string[]
  readonly acr: string | undefined
}

/** A sign-in that succeeded, to be put into a session. */
export interface SessionOpening {
  /** SHA-256 of the id that the browser came with; undefined: none. */
  readonly presented: string | undefined
  /** What the browser's flows are bound to: callbacks that arrive together are told by it. */
  readonly browser: string
  readonly origin: string
  readonly sub: string
  readonly issuerSession: string
  readonly resource: SessionResource
  /** What its authorization was granted. */
  readonly scopes: readonly string[]
  readonly now: number
  /** When the row may be forgotten. */
  readonly expiresAt: number
  /** So long the replaced id stays good, and callbacks count as having come together. */
  readonly graceSeconds: number
  readonly mostOfPerson: number
  readonly mostInAll: number
  /** For a new session. */
  readonly newId: string
  /** SHA-256 of the id of a session's generation. */
  readonly hashOf: (id: string, generation: number) => string
}

/** A password that a person made for one resource. Times are NumericDate, seconds. */
export interface AppPasswordRecord {
  readonly id: string
  /** SHA-256 of the password, base64url. */
  readonly hash: string
  /** The authorization that its tokens come from. */
  readonly gid: string
  readonly sub: string
  readonly resource: string
  readonly scopes: readonly string[]
  /** What the person calls it. */
  readonly name: string
  readonly createdAt: number
  readonly expiresAt: number
  /** Written down at most once a minute. */
  readonly lastUsedAt: number | undefined
}

/** Where a browser signed in at the issuer, and when it was seen. Times are NumericDate, seconds. */
interface SessionFacts {
  /** The uid of the session; its lookup key is kept. */
  readonly issuerSession: string
  readonly sub: string
  readonly browser: string
  readonly address: string
  /** The sign-in. */
  readonly createdAt: number
  readonly seenAt: number
  readonly expiresAt: number
}

/** Sessions of browsers and app passwords; a part of `Store`. Acts of revocation end them. */
export interface SessionStore {
  /**
   * Notes where a session of the issuer is; written down again at most once a minute, unless something changed. False when an act has ended
   * it: a request that was under way must not bring it back.
   */
  noteSession(facts: SessionFacts): Promise<boolean>
  /** Notes that an authorization was given in a session of the issuer (its uid). The first one stands. */
  bindToSession(gid: string, issuerSession: string, at: number): Promise<void>
  /** Whether the person has to choose a new password before anything else: until one is set. */
  passwordDue(sub: string): Promise<boolean>

  /**
   * Puts a sign-in into the session that the browser came with, if that is the same person's, else into another; `ended` are authorizations
   * that are not needed any more: those that it took the place of, or its own, where one of the same sign-in is as good. One record for all callbacks of a browser that arrive together. A session that came with its id in force gets
   * the next one.
   */
  openBrowserSession(
    opening: SessionOpening,
  ): Promise<{ readonly session: BrowserSessionRecord; readonly ended: readonly string[] }>
  /** By the id in force, or the one before when it was replaced at `since` or later. */
  browserSession(idHash: string, since: number): Promise<BrowserSessionRecord | undefined>
  browserSessions(of: {
    readonly sub?: string
    readonly issuerSession?: string
  }): Promise<readonly BrowserSessionRecord[]>
  /** Its idle end is counted from `movedAt` on, should that be later. */
  moveBrowserSession(id: string, movedAt: number, expiresAt: number): Promise<void>
  /** What was opened, or authorized, under one session of the issuer goes on under another. */
  moveIssuerSession(from: string, to: string): Promise<void>

  /** 'too_many': the person has `most` of them. */
  addAppPassword(password: AppPasswordRecord, most: number): Promise<'added' | 'too_many'>
  appPasswords(of: {
    readonly sub?: string
    readonly id?: string
    readonly gid?: string
    readonly hash?: string
  }): Promise<readonly AppPasswordRecord[]>
}

interface EndedTokens {
  readonly notBeforeMs: number
  readonly expiresAt: number
}

/** Browser sessions to end, with their authorizations: those that were opened under a session of the issuer, which ends too. */
interface EndBrowserSessions {
  /** Its lookup key. */
  readonly issuerSession: string
  /** Whose it is: a session that is just being opened comes wholly before the act, or after it. */
  readonly sub?: string
  /** What this client was given in it ends, though no browser session was opened with it yet. */
  readonly clientId?: string
  /** Whatever was authorized in it ends too, app passwords that were made in it as well. */
  readonly withAuthorizations?: true
  readonly revokeTokens: EndedTokens
}

/** App passwords to end, and their tokens; the fields are ANDed, and none of them means all. */
interface EndAppPasswords {
  readonly sub?: string
  readonly id?: string
  readonly gid?: string
  readonly revokeTokens: EndedTokens
}

/** What an act of revocation ends of these. */
export interface EndsSessions {
  readonly endBrowserSessions?: readonly EndBrowserSessions[]
  readonly endAppPasswords?: readonly EndAppPasswords[]
}
