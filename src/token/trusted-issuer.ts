import type { AcrMap } from '../core/levels.ts'

/** A public key as published: a JWK (RFC 7517), not yet judged. */
export type PublishedKey = Readonly<Record<string, unknown>>

/** Where an issuer's keys come from. */
export type VerifierKeySource =
  /** The issuer's metadata (OpenID Connect Discovery §4, RFC 8414 §3) names its key set. */
  | { readonly kind: 'discovery'; readonly insecureHttp?: boolean }
  /** https, or http on a loopback host; on any host with `insecureHttp`. */
  | { readonly kind: 'jwks_uri'; readonly uri: string; readonly insecureHttp?: boolean }
  /** Read again when the file changes. */
  | { readonly kind: 'jwks_file'; readonly path: string }
  /** Other audgates inside the operator's own network, the only place where plain http is taken from any host; asked in turn. */
  | { readonly kind: 'upstream'; readonly uris: readonly string[] }
  /** Keys of this process; say `keysChanged` when they do. */
  | { readonly kind: 'static'; readonly jwks: () => readonly PublishedKey[] }

/** What the `typ` of an access token may be. */
export type TokenType = 'at+jwt' | 'jwt' | 'none'

/** An issuer whose tokens are trusted, and how they are to be read. */
export interface VerifierIssuer {
  /** The exact `iss`. */
  readonly issuer: string
  /** Made by our own issuer: revocations apply, and `jti` is required because they are found by it. */
  readonly embedded: boolean
  readonly keys: VerifierKeySource
  /** JWS `alg` values accepted; symmetric ones and `none` are never, even when named. */
  readonly algorithms: readonly string[]
  /** Any `typ` of these that it signs; `none`: no `typ` at all. */
  readonly tokenTypes: readonly TokenType[]
  /** Claims that hold these, or paths to them (see `claimAt`). */
  readonly claims: {
    readonly groups: string
    readonly username: string
    readonly scope: string
    readonly client: string
  }
  /** Its words for the levels of sign-in; undefined: its `acr` means nothing here. */
  readonly acr?: AcrMap | undefined
  /** How far its clock may differ from ours. */
  readonly toleranceSeconds: number
}
