/** How a client can keep a secret and where it is sent back to (RFC 6749 §2.1); `service`: nobody signs in, it asks for itself. */
export type ClientType = 'native' | 'spa' | 'web' | 'service'

export interface ClientRecord {
  readonly id: string
  readonly type: ClientType
  readonly name: string
  readonly redirectUris: readonly string[]
  readonly postLogoutRedirectUris: readonly string[]
  /** Consent is asked of third-party and self-registered clients. */
  readonly thirdParty: boolean
  /** How it came: by the operator, by RFC 7591 registration, or by a client metadata document. */
  readonly origin: 'operator' | 'registration' | 'document'
  /** SHA-256 of the secret, base64url; undefined for public clients. */
  readonly secretHash: string | undefined
  /** What a `service` client may have by client_credentials. */
  readonly allow: readonly { readonly resource: string; readonly scopes: readonly string[] }[]
  /** `client revoke` was said: gets nothing until `client restore`. */
  readonly revoked: boolean
  /** `reauthorize`: a refresh is refused while one of its requests waits for a better sign-in; undefined: it goes on. */
  readonly stepUp?: 'reauthorize' | undefined
  readonly createdAt: number
  /** What a self-registered client sent, beyond the columns; empty for others. */
  readonly metadata: Readonly<Record<string, unknown>>
}

/** One authorization: a sign-in of one client for one person, the family of its refresh tokens. */
export interface AuthorizationRecord {
  /** The `gid` claim. */
  readonly gid: string
  readonly sub: string
  readonly clientId: string
  /** Resource → scopes of the grant. */
  readonly resources: Readonly<Record<string, readonly string[]>>
  /** What the person knows the device by (from User-Agent, or `device flow`). */
  readonly label: string
  readonly createdAt: number
  readonly lastUsedAt: number | undefined
  readonly ended: boolean
}

/** A browser session at the issuer. Its id is a hash: with it nobody can be that browser. */
export interface SessionRecord {
  readonly id: string
  /** Lookup key of its uid: what was opened or authorized in it is found by that. */
  readonly issuerSession: string
  /** NumericDate, seconds, as all times here. */
  readonly expiresAt: number
  /** What a person knows it by: `Firefox on Linux`. Undefined, as what follows, for one that nothing was noted of. */
  readonly browser: string | undefined
  readonly address: string | undefined
  /** The sign-in. */
  readonly createdAt: number | undefined
  readonly seenAt: number | undefined
}

/** Who caused a line: the server in its work, a stranger who was refused, or a command. */
export type AuditOrigin = 'server' | 'stranger' | 'command'

export interface AuditRecord {
  readonly id: number
  readonly origin: AuditOrigin
  readonly at: number
  readonly event: string
  /** Never a token, code, secret or password. */
  readonly detail: Readonly<Record<string, unknown>>
}

/** A person. Times are NumericDate, seconds, unless a name says milliseconds. */
export interface UserRecord {
  /** Stable, opaque, never reused. */
  readonly sub: string
  /** What they sign in with; unique without regard to case (compared in NFKC lower case). */
  readonly username: string
  readonly displayName: string | undefined
  readonly email: string | undefined
  readonly groups: readonly string[]
  /** PHC string; undefined: cannot sign in by password. */
  readonly passwordHash: string | undefined
  readonly disabled: boolean
  readonly createdAt: number
}

/**
 * What two spellings of one username have in common, for everything that is found or counted by it. NFKC on both sides of the lower case, because
 * some letters decompose only after it.
 */
export function usernameKey(username: string): string {
  return username.normalize('NFKC').toLowerCase().normalize('NFKC')
}
