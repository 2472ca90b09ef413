import type { IdentityProvider, PasswordSignIn } from '../core/identity-provider.ts'
import type { AcrMap } from '../core/levels.ts'
import type { Resource } from '../core/resource.ts'
import type { Route } from '../core/route.ts'

/**
 * A TCP address; port 0 lets the system choose. `localhost` means both loopback addresses, '' every address of the machine.
 * An IPv6 address has no brackets.
 */
export interface TcpAddress {
  readonly host: string
  readonly port: number
}

/** Where the public listener is: a TCP address, the path of a unix socket, or a socket that was handed over open (its descriptor). */
export type ListenAddress = TcpAddress | { readonly path: string } | { readonly fd: number }

interface ClaimNames {
  readonly groups: string
  readonly username: string
  readonly scope: string
  readonly client: string
}

type KeySource =
  /** `insecureHttp`: plain http is taken from any host. */
  | { readonly kind: 'discovery'; readonly insecureHttp: boolean }
  | { readonly kind: 'jwks_uri'; readonly uri: string; readonly insecureHttp: boolean }
  | { readonly kind: 'jwks_file'; readonly path: string }

/** An issuer from elsewhere whose tokens are trusted (`trusted_issuers`). */
export interface TrustedIssuer {
  readonly issuer: string
  readonly keys: KeySource
  readonly algorithms: readonly string[]
  /** Any `typ` of these; `none`: no `typ` at all. */
  readonly tokenTypes: readonly ('at+jwt' | 'jwt' | 'none')[]
  readonly claims: ClaimNames
  /** Its words for the levels of sign-in; without it its `acr` means nothing here. */
  readonly acr?: AcrMap
}

export interface EmbeddedIssuer {
  readonly kind: 'embedded'
  readonly signingAlg: 'ES256' | 'RS256' | 'EdDSA'
  readonly accessTokenTtlSeconds: number
  readonly refreshTokenTtlSeconds: number
  readonly refreshTokenMaxSeconds: number
  readonly registration: 'off' | 'open' | 'token'
  readonly clientMetadataDocuments: boolean
  readonly password: PasswordSignIn
  /** Whether people may add an authenticator app; those that have one are asked all the same. */
  readonly authenticator: boolean
  /** Whether people may sign in by passkeys. */
  readonly passkeys: boolean
  /** Who must have a second factor: nobody, everybody, or the members of these groups. */
  readonly secondFactor: 'optional' | 'required' | readonly string[]
  /** The fewest characters of a new password. */
  readonly passwordMin: number
  /** How long a browser is asked for no code after a password; 0: each time. */
  readonly rememberBrowserSeconds: number
  readonly providers: readonly IdentityProvider[]
  readonly links: LinkSettings
}

/** A gateway on its own: another audgate holds the issuer. */
export interface UpstreamIssuer {
  readonly kind: 'upstream'
  /** Origins of audgates of one store, without trailing slash; any of them will do. */
  readonly upstreams: readonly string[]
}

/** A place where PostgreSQL listens; `host` is the absolute path of a folder for a socket in it. */
export interface PostgresHost {
  readonly host: string
  readonly port: number
}

/** A database of PostgreSQL that several instances share. The password is a secret of the environment. */
interface PostgresStore {
  readonly kind: 'postgres'
  /** Tried in order; the first that is no standby is taken. */
  readonly hosts: readonly PostgresHost[]
  readonly user: string
  readonly database: string
  /** Connections of this process. */
  readonly pool: number
  readonly pooler: 'none' | 'transaction'
  /** Absolute path of a PEM file; undefined: the system's authorities. */
  readonly ca: string | undefined
  /** For one statement. */
  readonly timeoutMs: number
  readonly migrate: 'auto' | 'never'
}

/** What is remembered: in a file of this machine (its path is absolute), or in a database. */
export type StoreConfig = { readonly kind: 'sqlite'; readonly path: string } | PostgresStore

/** How old the knowledge of revocations may be, and what becomes of tokens then. */
interface StaleRevocations {
  readonly afterSeconds: number
  readonly action: 'refuse' | 'allow'
}

export type IssuerConfig = EmbeddedIssuer | UpstreamIssuer | { readonly kind: 'off' }

/** Browsers' sessions at the gateway's hosts. */
interface SessionSettings {
  readonly idleSeconds: number
  readonly maxSeconds: number
  /** The operator said that sessions may share a host with another resource, or with the issuer. */
  readonly sharedOrigin: boolean
}

/** Passwords made for one resource each. */
interface AppPasswordSettings {
  /** The longest life. */
  readonly maxSeconds: number
  /** How long one may lie unused. */
  readonly unusedSeconds: number
}

/** URLs that carry their own permission. */
export interface TicketSettings {
  readonly defaultSeconds: number
  readonly maxSeconds: number
}

/** Lives of one-time links. */
interface LinkSettings {
  readonly inviteSeconds: number
  readonly recoverSeconds: number
}

/** The operator's page and its API. */
export interface AdminSettings {
  /** Whose members may see and change everything. */
  readonly groups: readonly string[]
  /** Whose members may see everything. */
  readonly readers: readonly string[]
  /** The least that a sign-in must have been. */
  readonly require: 'pwd' | 'mfa' | 'phr'
  /** Age of the sign-in for acts that give access. */
  readonly freshSeconds: number
  /** How long the page stays open that is not used. */
  readonly sessionSeconds: number
  /** 0: refusals are kept in memory only. */
  readonly keepRefusalsSeconds: number
  /** What its tokens are made for; not among {@link Config.resources}. */
  readonly resource: Resource
  /** What it is judged by; not among {@link Config.routes}. */
  readonly route: Route
}

/** A mail server. `smtp` may hold a password: never logged, never shown. */
export interface MailSettings {
  readonly smtp: string
  readonly from: string
}

/** Values of the environment, or of files that it names, that the server needs; never logged. */
export interface Secrets {
  /** AUDGATE_SECRET: encrypts signing keys at rest; undefined: a 0600 file beside the SQLite file. */
  readonly secret: string | undefined
  /** AUDGATE_REGISTRATION_TOKEN, for `registration: token`. */
  readonly registrationToken: string | undefined
  /** AUDGATE_FEED_TOKEN, for the revocation feed. */
  readonly feedToken: string | undefined
  /** AUDGATE_STORE_PASSWORD, of the database's user. */
  readonly storePassword: string | undefined
  /** AUDGATE_KEY_FILE: the path of the file with the key that signing keys are sealed by, where there is no secret. */
  readonly keyFile: string | undefined
}

/** routes.yaml and environment, checked and frozen. */
export interface Config {
  /** Path of the file it came from, as given. */
  readonly file: string
  /** Absolute paths of the files that values came from (`${file:PATH}`). */
  readonly files: readonly string[]
  /** What is allowed and somebody should have meant, with its place in the file. */
  readonly warnings: readonly ConfigProblem[]
  /** Exactly as written: the issuer identifier. */
  readonly publicUrl: string
  readonly publicOrigin: string
  /** Lower case, without port. */
  readonly publicHost: string
  /** Paths that no route gets, each with all below it, on hosts that no route names and on `publicHost`. */
  readonly reservedPaths: readonly string[]
  readonly listen: ListenAddress
  readonly management: TcpAddress | undefined
  /** Paths made absolute against the file's folder. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined
  /** Networks with a prefix length (`10.0.0.1/32` for a single address); v4-mapped IPv6 is written as IPv4. */
  readonly trustedProxies: readonly string[]
  readonly store: StoreConfig
  /** Name of this process among those of one store. */
  readonly instance: string
  readonly staleRevocations: StaleRevocations
  readonly dpopReplay: 'instance' | 'store'
  readonly shutdown: { readonly delayMs: number; readonly graceMs: number }
  readonly audit: { readonly keepSeconds: number }
  readonly accessLog: 'all' | 'refused' | 'off'
  readonly maxConnections: number
  /** Data-path worker processes; 1 is this process alone. */
  readonly workers: number
  readonly issuer: IssuerConfig
  readonly sessions: SessionSettings
  readonly appPasswords: AppPasswordSettings
  readonly tickets: TicketSettings
  /** Undefined: `/admin` belongs to nobody here. */
  readonly admin: AdminSettings | undefined
  /** Networks that the operator's page may be opened from, this process' own or that which is passed on; empty: everywhere. */
  readonly adminFrom: readonly string[]
  readonly mail: MailSettings | undefined
  readonly trustedIssuers: readonly TrustedIssuer[]
  readonly resources: readonly Resource[]
  readonly routes: readonly Route[]
  /** Where each of the routes begins in the file, in the same order; lines count from 1. */
  readonly routeLines: readonly number[]
  readonly secrets: Secrets
}

/** What the embedded issuer's tokens may be made for by the file and by what is built in, in this order. */
export function issuedResources({ resources, publicUrl, admin }: Config): readonly Resource[] {
  const own = resources.filter(({ issuers }) => issuers.includes(publicUrl))
  return admin === undefined ? own : [...own, admin.resource]
}

/** A problem with its place; line and column count from 1. */
export interface ConfigProblem {
  readonly file: string
  readonly line: number
  readonly column: number
  readonly message: string
}

export type ConfigResult =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] }
