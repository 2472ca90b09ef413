import { z } from 'zod'
import { carriesRequests } from '../../core/headers/request-headers.ts'
import { LEVELS } from '../../core/levels.ts'
import { type PathPattern, parsePattern } from '../../core/paths/pattern.ts'
import { FURTHER_METHODS, METHODS, type MethodSet } from '../../core/route.ts'
import { parseRouteHost, parseUpstream } from '../addresses.ts'
import { parseAddedName, parseHeaderSource, parseHeaderText, parseStrippedName } from '../header-rules.ts'
import {
  booleanLeaf,
  faulty,
  nearest,
  type Parsed,
  parsed,
  parseHttpUrl,
  parseLifetime,
  parseSize,
  parseTimeout,
  textLeaf,
  wordLeaf,
} from './leaf.ts'
import { nameKey, scopeText } from './resource-schema.ts'

/** What `read` stands for; `write` is every other method. */
const READ: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PROPFIND', 'REPORT', 'SEARCH'])

const WORDS: readonly string[] = ['read', 'write', 'any']

/** `read`, `write`, `any` or a method as clients send it: methods are case-sensitive (RFC 9110 §9.1). */
function parseMethod(text: string): Parsed<string> {
  if (WORDS.includes(text)) return parsed(text)
  const capitals = text.toUpperCase()
  const known = [...METHODS, ...FURTHER_METHODS]
  if (known.includes(capitals) && capitals !== text) return faulty(`must be in capitals: ${capitals}`)
  if (known.includes(text)) return parsed(text)
  const near = nearest(text, [...WORDS, ...known])
  return faulty(
    `must be read, write, any or a method that HTTP parsers know, such as GET${near === undefined ? '' : `; did you mean ${near}?`}`,
  )
}

/** The methods that a rule's words cover together. GET implies HEAD. */
export function methodSet(words: readonly string[]): MethodSet {
  const named = new Set(words.filter((word) => !WORDS.includes(word)))
  if (named.has('GET')) named.add('HEAD')
  if (words.includes('read')) for (const method of READ) named.add(method)
  if (words.includes('any')) return 'any'
  if (!words.includes('write')) return named
  const except = new Set([...READ].filter((method) => !named.has(method)))
  return except.size === 0 ? 'any' : { except }
}

const PATH_PATTERN = textLeaf(
  'A path relative to the route’s: * is any run within a segment, ** any number of whole segments.',
  parsePathPattern,
)

const METHOD_LIST = z
  .array(textLeaf('`read`, `write`, `any` or an HTTP method; GET implies HEAD.', parseMethod))
  .min(1, { error: 'must name at least one method, or `any`' })

const RULE = z
  .strictObject({
    methods: METHOD_LIST.meta({ description: 'Methods that the rule is for.' }),
    paths: z
      .array(PATH_PATTERN)
      .min(1, { error: 'must name at least one path; without the key the rule is for all' })
      .meta({ description: 'Paths that the rule is for, relative to the route’s; default all.' })
      .optional(),
    scopes: z
      .array(textLeaf('A scope of the route’s resource.', scopeText))
      .meta({ description: 'Scopes that a token needs, all of them.' }),
    acr: wordLeaf('The least level of sign-in: password, second factor, passkey.', LEVELS).optional(),
    max_age: textLeaf('How long ago the person may have signed in.', parseMaxAge).optional(),
  })
  .meta({ description: 'First match decides; what no rule matches does not get through.' })

function parseMaxAge(text: string): Parsed<number> {
  return parseLifetime(text, 365 * 86_400)
}

const PUBLIC_FORM = 'must be true, a list of paths, or { paths, methods }'

const PUBLIC = z
  .union(
    [
      z.literal(true, { error: PUBLIC_FORM }),
      z.array(PATH_PATTERN),
      z.strictObject({
        paths: z
          .array(PATH_PATTERN)
          .min(1, { error: 'must name at least one path' })
          .meta({ description: 'Paths that need no token, relative to the route’s.' }),
        methods: METHOD_LIST.meta({ description: 'Methods that need none there; default `read`.' }).prefault(['read']),
      }),
    ],
    { error: PUBLIC_FORM },
  )
  .meta({
    description:
      '`true`: the whole route needs no token. A list: `read` methods on these paths of a protected route need none.',
  })

const TIMEOUTS = z
  .strictObject({
    connect: textLeaf('Until the upstream has taken the connection.', parseTimeout).prefault('5s'),
    response_headers: textLeaf('Until the upstream has begun its answer.', parseTimeout).prefault('60s'),
    idle: textLeaf('Silence in the middle of a body.', parseTimeout).prefault('5m'),
  })
  .meta({ description: 'There is no limit on a whole request.' })

const UPSTREAM = textLeaf(
  'http(s) URL of the service, with a path that is put before the request’s; or unix:/run/photos.sock.',
  parseUpstream,
)

const UPSTREAM_TLS = z
  .strictObject({
    ca: textLeaf('PEM file of the authorities that count, in place of the machine’s.', parsed).optional(),
    server_name: textLeaf('Name that the certificate must have; default the URL’s.', parseRouteHost).optional(),
    verify: booleanLeaf('Whether the certificate is looked at.').prefault(true),
  })
  .meta({ description: 'How an https upstream is believed to be who it should be.' })

const SIZED = { error: 'must be a size such as 500MB or 10GiB, or none' }

/** One entry of `routes`. Keys that depend on each other are checked in check-routes.ts. */
export const ROUTE = z
  .strictObject({
    id: textLeaf('Name of the route in logs and metrics.', parseRouteId),
    host: textLeaf('Host of the request; without it the route is for every host.', parseRouteHost).optional(),
    path: textLeaf('Path of the request, by whole segments.', parseRoutePath).prefault('/'),
    strip_path: booleanLeaf('Whether the upstream sees the path without `path`.').prefault(false),
    resource: textLeaf('`id` of the resource that a token must be made for.', parsed).optional(),
    upstream: z
      .union([UPSTREAM, z.array(UPSTREAM).min(1, { error: 'must name at least one upstream' })], {
        error: 'must be a URL or a list of URLs',
      })
      .meta({ description: 'Where requests go; they are spread over a list, and dead ones are left out.' }),
    upstream_tls: UPSTREAM_TLS.optional(),
    rules: z.array(RULE).meta({ description: 'Which scopes which requests need.' }).optional(),
    public: PUBLIC.optional(),
    identity: wordLeaf('Header set that tells the upstream who is calling.', [
      'x-auth',
      'remote-user',
      'x-forwarded-user',
      'x-webauth',
      'none',
    ]).prefault('x-auth'),
    headers: z
      .record(nameKey(parseAddedName), textLeaf('`claim:NAME` or a fixed text.', parseHeaderSource))
      .meta({ description: 'Further headers for the upstream.' })
      .prefault({}),
    strip_headers: z
      .array(textLeaf('A header name.', parseStrippedName))
      .meta({ description: 'Headers that the client must not send through.' })
      .prefault([]),
    set_headers: z
      .record(nameKey(parseAddedName), textLeaf('A fixed text.', parseHeaderText))
      .meta({ description: 'Headers with fixed texts, for the upstream’s own credentials.' })
      .prefault({}),
    cors: z
      .strictObject({
        origins: z
          .array(textLeaf('An origin such as https://app.example.com.', parseOrigin))
          .meta({ description: 'Origins whose scripts may call; each is written out.' }),
        credentials: booleanLeaf('Whether a session’s cookie counts for their scripts.').prefault(false),
      })
      .meta({ description: 'Lets scripts of other origins in.' })
      .optional(),
    preserve_host: booleanLeaf('Whether the upstream sees the client’s Host.').prefault(false),
    timeouts: TIMEOUTS.prefault({}),
    max_body: z
      .union([textLeaf('A size such as 10GiB, or `none`.', parseSize), z.int().min(0, SIZED)], SIZED)
      .meta({ description: 'More than that: 413.' })
      .prefault('none'),
    encoded_slash: wordLeaf('What %2F in a path means: an ordinary character, or 400.', ['opaque', 'reject']).prefault(
      'opaque',
    ),
    upgrades: z
      .array(textLeaf('A protocol such as websocket.', parseUpgrade))
      .meta({
        description: 'Protocols that may be tunnelled; a request for another is answered as if it had not asked.',
      })
      .prefault(['websocket']),
    case: wordLeaf('Whether paths that differ in letter case only may meet different routes and rules.', [
      'insensitive',
      'sensitive',
    ]).prefault('insensitive'),
    credentials: z
      .array(wordLeaf('What a request may show who it is by.', ['token', 'session', 'app_password', 'ticket']))
      .min(1, { error: 'must name at least one of token, session, app_password and ticket' })
      .meta({ description: 'What a request may show who it is by; default access tokens only.' })
      .prefault(['token']),
    authorization: wordLeaf(
      'Whose the Authorization field is; `upstream`: the server’s own, and ours comes in X-Audgate-Authorization.',
      ['gateway', 'upstream'],
    ).prefault('gateway'),
    sign_out_paths: z
      .array(PATH_PATTERN)
      .meta({
        description: 'The server’s own sign-out links, relative to `path`; the gateway answers them by its own.',
      })
      .prefault([]),
  })
  .meta({ description: 'Which requests go to which upstream, and what they need.' })

/** What would carry further HTTP requests, which nobody judges, is no protocol to let through. */
function parseUpgrade(text: string): Parsed<string> {
  const protocol = text.toLowerCase()
  if (!/^[!#$%&'*+.^_`|~0-9a-z-]+(\/[!#$%&'*+.^_`|~0-9a-z-]+)?$/.test(protocol))
    return faulty('must be a protocol as the Upgrade field names it, such as websocket')
  return carriesRequests(protocol)
    ? faulty('would carry requests that nobody judges; name a protocol such as websocket')
    : parsed(protocol)
}

function parseRouteId(text: string): Parsed<string> {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(text)
    ? parsed(text)
    : faulty('must be 1 to 64 letters, digits, `.`, `_` or `-`, and begin with a letter or digit')
}

function parseRoutePath(text: string): Parsed<string> {
  if (!text.startsWith('/')) return faulty('must begin with /')
  if (text.includes('*')) return faulty('must not have *; a route is for its path and all below it')
  // `/photos/` means the same by whole segments; `//` is no path at all.
  const path = text.length > 1 && text.endsWith('/') ? text.slice(0, -1) : text
  return parsePattern(text) === undefined ? faulty(UNMATCHABLE) : parsed(path)
}

function parsePathPattern(text: string): Parsed<PathPattern> {
  if (!text.startsWith('/')) return faulty('must begin with /; it is relative to the route’s path')
  const pattern = parsePattern(text)
  return pattern === undefined ? faulty(`${UNMATCHABLE}; ** stands alone between slashes`) : parsed(pattern)
}

const UNMATCHABLE = 'can match no request: no dot segments, //, \\, ?, #, ; or percent escapes of plain characters'

function parseOrigin(text: string): Parsed<string> {
  const wanted = 'must be an origin such as https://app.example.com, in lower case and without a path'
  if (text.includes('*')) return faulty('must be a whole origin; wildcards are not read')
  // Apps have schemes of their own, whose origins the URL standard does not know.
  if (/^(?!https?:)[a-z][a-z0-9+.-]*:\/\/[a-z0-9._-]+$/.test(text)) return parsed(text)
  const url = parseHttpUrl(text)
  return url.ok && url.value.origin === text ? parsed(text) : faulty(wanted)
}
