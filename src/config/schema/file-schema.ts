import { z } from 'zod'
import { LISTEN_FORM, parseListen, parseNetwork, parseTcpAddress } from '../addresses.ts'
import type { TcpAddress } from '../config.ts'
import { ADMIN, LINKS, MAIL } from './admin-schema.ts'
import {
  booleanLeaf,
  faulty,
  isBareOrigin,
  type Parsed,
  parsed,
  parseHttpUrl,
  parseLifetime,
  parseSafeUrl,
  plainText,
  textLeaf,
  wordLeaf,
} from './leaf.ts'
import { PROVIDER } from './provider-schema.ts'
import { RESOURCE } from './resource-schema.ts'
import { ROUTE } from './route-schema.ts'
import { SIGN_IN } from './sign-in-schema.ts'
import { AUDIT, parseInstance, parseStaleAfter, SHUTDOWN, STORE } from './store-schema.ts'

const DAY_SECONDS = 86_400

/** Asymmetric signatures only (RFC 8725 §3.2): a gateway that could verify HMAC could also forge it. */
const ALGORITHMS = [
  ...(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const),
  ...(['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'] as const),
] as const

/** `issuer` with settings: this process holds the issuer. */
const EMBEDDED = z
  .strictObject({
    signing_alg: wordLeaf('Algorithm that access tokens are signed with.', ['ES256', 'RS256', 'EdDSA']).prefault(
      'ES256',
    ),
    access_token_ttl: lifetime('Life of an access token.', DAY_SECONDS).prefault('5m'),
    refresh_token_ttl: lifetime('How long a refresh token may lie unused.', 3650 * DAY_SECONDS).prefault('30d'),
    refresh_token_max: lifetime('Life of a sign-in, however often it is refreshed.', 3650 * DAY_SECONDS).prefault(
      '180d',
    ),
    registration: wordLeaf('RFC 7591 registration; `token` wants AUDGATE_REGISTRATION_TOKEN.', [
      'off',
      'open',
      'token',
    ]).prefault('off'),
    client_metadata_documents: wordLeaf('Whether a client id may be the URL of its metadata.', ['off', 'on']).prefault(
      'off',
    ),
    password: wordLeaf('Signing in by password: shown, behind a small link, or not at all.', [
      'on',
      'hidden',
      'off',
    ]).prefault('on'),
    sign_in: SIGN_IN.prefault({}),
    providers: z
      .array(PROVIDER)
      .meta({ description: 'OpenID providers that people sign in at, whose groups count here.' })
      .prefault([]),
    links: LINKS.prefault({}),
  })
  .meta({ description: 'The embedded issuer.' })

const ISSUER_UPSTREAM = textLeaf('Address of an audgate that holds the issuer.', parseIssuerUpstream)

/** `issuer: { upstream }`: another audgate holds it. */
const FOLLOWING = z
  .strictObject({
    upstream: z
      .union([ISSUER_UPSTREAM, z.array(ISSUER_UPSTREAM).min(1, { error: 'must name at least one audgate' })], {
        error: 'must be an address, or a list of addresses',
      })
      .meta({ description: 'One audgate that holds the issuer, or several of one store.' }),
    on_stale_revocations: wordLeaf('As the key of that name at the top.', ['refuse', 'allow']).optional(),
  })
  .meta({ description: 'A gateway on its own: the reserved paths are passed on to another audgate.' })

/** `issuer` in all its forms. */
const ISSUER = z
  .union([z.literal(false, { error: 'must be false, or a map of settings' }), EMBEDDED, FOLLOWING], {
    error: 'must be false, or a map of settings',
  })
  .meta({ description: 'The embedded issuer; `false` turns it off.' })

const WORKERS = { error: 'must be a whole number from 1 to 256, or auto' }
const YEAR_SECONDS = 365 * DAY_SECONDS

const SESSIONS = z
  .strictObject({
    idle: lifetime('How long a browser stays signed in that is not used.', YEAR_SECONDS).prefault('3d'),
    max: lifetime('How long a browser stays signed in at most.', YEAR_SECONDS).prefault('30d'),
    shared_origin: booleanLeaf(
      'Lets sessions share a host with another resource or with the issuer: scripts of one can use the other.',
    ).prefault(false),
  })
  .meta({ description: 'Browsers’ sessions at the hosts of routes that accept them.' })

const APP_PASSWORDS = z
  .strictObject({
    max: lifetime('The longest life of an app password.', 10 * YEAR_SECONDS).prefault('1y'),
    unused: lifetime('How long an app password may lie unused.', 10 * YEAR_SECONDS).prefault('180d'),
  })
  .meta({ description: 'Passwords that people make for one resource each, for programs that can’t sign in.' })

const TICKETS = z
  .strictObject({
    default: lifetime('Life of a ticket that asks for none.', 30 * DAY_SECONDS).prefault('1h'),
    max: lifetime('The longest life of a ticket.', 30 * DAY_SECONDS).prefault('24h'),
  })
  .meta({ description: 'URLs that open one path, or a folder, for reading.' })

const TOKEN_TYPE = wordLeaf('`typ` of an access token.', ['at+jwt', 'jwt', 'none'])

/** One entry of `trusted_issuers`. */
const TRUSTED_ISSUER = z
  .strictObject({
    issuer: textLeaf('Exactly the `iss` of its tokens.', parseIssuerIdentifier),
    jwks_uri: textLeaf('Where its keys are; default: what its metadata says.', parseKeysUri).optional(),
    jwks_file: textLeaf('A file with its keys instead.', plainText).optional(),
    algorithms: z
      .array(textLeaf('A JOSE signature algorithm such as RS256.', parseAlgorithm))
      .min(1, { error: 'must name at least one algorithm' })
      .meta({ description: 'What its tokens may be signed with.' }),
    token_type: z
      .union([TOKEN_TYPE, z.array(TOKEN_TYPE).min(1, { error: 'must name at least one of at+jwt, jwt, none' })], {
        error: 'must be at+jwt, jwt, none, or a list of these',
      })
      .meta({ description: '`typ` of its access tokens, or a list; `none`: no `typ` at all.' })
      .prefault('at+jwt'),
    insecure_http: booleanLeaf('Whether its keys may come over http inside a private network.').prefault(false),
    claims: z
      .strictObject({
        groups: textLeaf('Claim with the groups, or a path such as realm_access.roles.', parseClaimPath).prefault(
          'groups',
        ),
        username: textLeaf('Claim with the user name, or a path such as realm_access.roles.', parseClaimPath).prefault(
          'preferred_username',
        ),
        scope: textLeaf('Claim with the scopes, or a path such as realm_access.roles.', parseClaimPath).prefault(
          'scope',
        ),
        client: textLeaf('Claim with the client id, or a path such as realm_access.roles.', parseClaimPath).prefault(
          'client_id',
        ),
      })
      .meta({ description: 'Names of its claims.' })
      .prefault({}),
    acr: z
      .strictObject({
        pwd: acrValues('Values of `acr` that stand for a password.'),
        mfa: acrValues('Values of `acr` that stand for a second factor.'),
        phr: acrValues('Values of `acr` that stand for a passkey.'),
      })
      .meta({ description: 'What its `acr` values mean; without it no rule with `acr` takes its tokens.' })
      .optional(),
  })
  .meta({ description: 'An issuer from elsewhere whose tokens are trusted.' })

function acrValues(describe: string) {
  return z
    .array(textLeaf('A value of `acr`, to the letter.', parseAcr))
    .min(1, { error: 'must name at least one value of `acr`' })
    .meta({ description: describe })
    .optional()
}

/** The challenge lists them with spaces between. */
function parseAcr(text: string): Parsed<string> {
  return /^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/.test(text)
    ? parsed(text)
    : faulty('must be 1 to 256 printable ASCII characters without spaces, `"` and `\\`')
}

function lifetime(describe: string, maxSeconds: number) {
  return textLeaf(describe, (text) => parseLifetime(text, maxSeconds))
}

/** A claim's name, or names with dots between: the verifier looks for either. */
function parseClaimPath(text: string): Parsed<string> {
  return text.split('.').length > 16 ? faulty('must not have more than 16 parts') : plainText(text)
}

function parseAlgorithm(text: string): Parsed<string> {
  if (ALGORITHMS.some((algorithm) => algorithm === text)) return parsed(text)
  if (/^HS\d+$|^none$/i.test(text))
    return faulty('must not be none or HMAC: whoever checks such a token could make one')
  return faulty(`must be one of: ${ALGORITHMS.join(', ')}`)
}

/** http is judged together with `insecure_http`. */
function parseIssuerIdentifier(text: string): Parsed<string> {
  const result = parseHttpUrl(text)
  if (!result.ok) return result
  return text.includes('?') ? faulty('must not have a query') : parsed(text)
}

function parseKeysUri(text: string): Parsed<string> {
  const result = parseHttpUrl(text)
  return result.ok ? parsed(text) : result
}

function parseIssuerUpstream(text: string): Parsed<string> {
  const result = parseHttpUrl(text)
  if (!result.ok) return result
  return isBareOrigin(text) ? parsed(result.value.origin) : faulty('must be an address without a path or query')
}

/** Everything that routes.yaml may hold. What validates is also what the JSON Schema is made from: there is no second list. */
export const FILE = z
  .strictObject({
    public_url: textLeaf(
      'Where clients reach the gateway; exactly this string is the issuer identifier.',
      parsePublicUrl,
    ),
    listen: textLeaf(
      'Address of the gateway; localhost is both loopback addresses. Or unix:PATH, or fd:N for a socket handed over open.',
      parseListen,
      LISTEN_FORM,
    ).prefault('localhost:8080'),
    management: textLeaf(
      'Address of /metrics, /healthz and /readyz, or `off`.',
      (text): Parsed<TcpAddress | undefined> => (text === 'off' ? parsed(undefined) : parseTcpAddress(text)),
      LISTEN_FORM,
    ).optional(),
    tls: z
      .strictObject({
        cert: textLeaf('PEM file with the certificate chain, relative to this file.', plainText),
        key: textLeaf('PEM file with the private key, relative to this file.', plainText),
      })
      .meta({ description: 'Certificate and key; read again when the files change.' })
      .optional(),
    trusted_proxies: z
      .array(
        textLeaf(
          'An address, a network such as 10.0.0.0/8, or unix: for those who may open the socket of `listen: unix:PATH`.',
          parseNetwork,
        ),
      )
      .meta({ description: 'Peers whose X-Forwarded-* are believed; default none.' })
      .prefault([]),
    store: STORE.prefault('sqlite:./data/audgate.db'),
    instance: textLeaf('Name of this process in logs, metrics and `audgate instances`.', parseInstance).optional(),
    stale_after: textLeaf(
      'How old the knowledge of revocations may be, end to end; 5s to 5m, never above `issuer.access_token_ttl`. Default: 15s.',
      parseStaleAfter,
    ).optional(),
    on_stale_revocations: wordLeaf('What becomes of tokens when it is older.', ['refuse', 'allow']).optional(),
    dpop_replay: wordLeaf('Whether a DPoP proof counts once at each instance, or once in all.', [
      'instance',
      'store',
    ]).prefault('instance'),
    shutdown: SHUTDOWN.prefault({}),
    audit: AUDIT.prefault({}),
    access_log: wordLeaf('Which requests are logged.', ['all', 'refused', 'off']).prefault('all'),
    max_connections: z
      .int({ error: 'must be a whole number from 1 to 1000000' })
      .min(1, { error: 'must be a whole number from 1 to 1000000' })
      .max(1_000_000, { error: 'must be a whole number from 1 to 1000000' })
      .meta({ description: 'At most so many connections of clients.' })
      .prefault(10_000),
    workers: z
      .union([z.int().min(1, WORKERS).max(256, WORKERS), z.literal('auto')], WORKERS)
      .meta({ description: 'Processes that carry requests; `auto`: one for each core.' })
      .prefault(1),
    issuer: ISSUER.prefault({}),
    sessions: SESSIONS.prefault({}),
    app_passwords: APP_PASSWORDS.prefault({}),
    tickets: TICKETS.prefault({}),
    admin: ADMIN.prefault({}),
    mail: MAIL.optional(),
    trusted_issuers: z
      .array(TRUSTED_ISSUER)
      .meta({ description: 'Tokens from elsewhere; nothing is trusted unless named here.' })
      .prefault([]),
    resources: z.array(RESOURCE).meta({ description: 'What tokens are made for.' }).prefault([]),
    routes: z.array(ROUTE).meta({ description: 'Which requests go where, and what they need.' }).prefault([]),
  })
  .meta({
    title: 'audgate routes.yaml',
    description: `Every text may hold \${NAME}, \${NAME:-default} and \${file:PATH}.`,
  })

function parsePublicUrl(text: string): Parsed<string> {
  const result = parseSafeUrl(text)
  if (!result.ok) return result
  return isBareOrigin(text) ? parsed(text) : faulty('must have no path or query; the gateway has the whole origin')
}
