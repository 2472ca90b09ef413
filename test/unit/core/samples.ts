import { type PathPattern, parsePattern } from '../../../src/core/paths/pattern.ts'
import { reservedPaths } from '../../../src/core/paths/router.ts'
import { parseTarget, type Target } from '../../../src/core/paths/target.ts'
import type { Resource, ResourceIdentifier, Scope } from '../../../src/core/resource.ts'
import type { Access, Route, Rule, Upstream } from '../../../src/core/route.ts'
import { sealVerifiedToken, type VerifiedToken } from '../../../src/core/token.ts'

export const NOW = 1_700_000_000
export const ISSUER = 'https://gate.example.com'
/** Where an issuer is served. */
export const RESERVED = reservedPaths({ issuer: true, admin: true })
export const READ = new Set(['GET', 'HEAD', 'OPTIONS', 'PROPFIND', 'REPORT', 'SEARCH'])

export function scopes(...names: string[]): Scope[] {
  return names as Scope[]
}

export function sampleResource(change: Partial<Resource> = {}): Resource {
  const identifier = (change.identifier ?? 'https://gate.example.com/photos') as ResourceIdentifier
  return {
    identifier,
    name: 'Photo library',
    scopes: new Map([
      ['photos:read' as Scope, 'See photos'],
      ['photos:write' as Scope, 'Change photos'],
    ]),
    grants: [
      { groups: ['photos'], scopes: scopes('photos:read') },
      { groups: ['photo-editors'], scopes: scopes('photos:read', 'photos:write') },
    ],
    issuers: [ISSUER],
    acceptAudiences: [],
    claims: [],
    sessionScopes: undefined,
    metadataUrl: 'https://gate.example.com/.well-known/oauth-protected-resource/photos',
    ...change,
  }
}

export function pattern(text: string): PathPattern {
  const parsed = parsePattern(text)
  if (parsed === undefined) throw new Error(`not a pattern: ${text}`)
  return parsed
}

export function rule(methods: Rule['methods'], needed: readonly string[], paths?: readonly string[]): Rule {
  return { methods, scopes: scopes(...needed), paths: paths?.map(pattern) }
}

export function protectedBy(
  rules: readonly Rule[],
  publicPaths: readonly string[] = [],
  resource: Resource = sampleResource(),
): Extract<Access, { readonly kind: 'protected' }> {
  return { kind: 'protected', resource, rules, publicPaths: publicPaths.map(pattern), publicMethods: READ }
}

export const PHOTO_RULES = [rule(READ, ['photos:read']), rule({ except: READ }, ['photos:write'], ['/api/**'])] as const

export function sampleUpstream(change: Partial<Upstream> = {}): Upstream {
  const base = {
    protocol: 'http:',
    hostname: '127.0.0.1',
    port: 2283,
    authority: '127.0.0.1:2283',
    basePath: '',
  } as const
  return { ...base, ...change }
}

export function sampleRoute(change: Partial<Route> = {}): Route {
  return {
    id: 'photos',
    host: undefined,
    path: '/photos',
    stripPath: true,
    access: protectedBy(PHOTO_RULES),
    upstreams: [sampleUpstream()],
    identity: 'x-auth',
    headers: [],
    stripHeaders: [],
    setHeaders: [],
    cors: undefined,
    preserveHost: false,
    timeouts: { connectMs: 5000, responseHeadersMs: 60_000, idleMs: 300_000 },
    maxBody: undefined,
    encodedSlash: 'opaque',
    upgrades: ['websocket'],
    case: 'insensitive',
    credentials: ['token'],
    authorization: 'gateway',
    signOutPaths: [],
    ...change,
  }
}

export function sampleToken(change: Partial<Parameters<typeof sealVerifiedToken>[0]> = {}): VerifiedToken {
  return sealVerifiedToken({
    issuer: ISSUER,
    embedded: true,
    subject: 'u-alice',
    clientId: 'cli',
    audience: ['https://gate.example.com/photos'],
    scope: new Set(['photos:read']),
    expiresAt: NOW + 300,
    issuedAt: NOW,
    jti: undefined,
    gid: 'g1',
    username: 'alice',
    groups: ['photos'],
    jkt: undefined,
    claims: {},
    ...change,
  })
}

export function target(requestTarget: string): Target {
  const parsed = parseTarget(requestTarget)
  if (!parsed.ok) throw new Error(`${requestTarget}: ${parsed.detail}`)
  return parsed.target
}
