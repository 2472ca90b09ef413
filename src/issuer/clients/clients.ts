import { randomBytes } from 'node:crypto'
import type { Resource } from '../../core/resource.ts'
import type { ClientRecord, ClientType, Store } from '../../store/store.ts'
import { displayNameProblem, SUB_PREFIX } from '../people/people.ts'
import { hashClientSecret } from './client-secrets.ts'
import { redirectUriProblem } from './client-uri.ts'
import { ADMIN_CLIENT, reservedClient } from './reserved.ts'

/** Lets scanners of source code and logs recognise a secret that has leaked. */
const PREFIX = 'agcs_'

/** A new client secret: 256 bits of chance behind a prefix that scanners can look for. */
export function makeClientSecret(): string {
  return `${PREFIX}${randomBytes(32).toString('base64url')}`
}

type Allow = ClientRecord['allow']

export interface NewClient {
  readonly id: string
  readonly type: ClientType
  /** Shown to people; default: the id. */
  readonly name?: string | undefined
  readonly redirectUris: readonly string[]
  readonly thirdParty: boolean
  /** What becomes of a refresh while a request waits for a better sign-in. */
  readonly stepUp?: 'keep' | 'reauthorize' | undefined
  /** What a `service` client may have, each as `RESOURCE=scope,scope`. */
  readonly allow: readonly string[]
}

export type AddedClient =
  /** `secret` of `web` and `service` clients: shown now and never again. */
  | { readonly kind: 'added'; readonly client: ClientRecord; readonly secret: string | undefined }
  | { readonly kind: 'exists' }
  /** In words that say what to do. */
  | { readonly kind: 'invalid'; readonly problem: string }

/** Whether clients of this type can keep a secret. */
function hasSecret(type: ClientType): boolean {
  return type === 'web' || type === 'service'
}

/**
 * Registers a client for the operator.
 * @param resources those that accept the embedded issuer's tokens; what `allow` may name.
 * @param now milliseconds.
 */
export async function addClient(
  store: Store,
  input: NewClient,
  resources: readonly Resource[],
  now: number,
): Promise<AddedClient> {
  const allow = readAllow(input.allow, resources)
  const problem = clientProblem(input) ?? (typeof allow === 'string' ? allow : undefined)
  if (problem !== undefined || typeof allow === 'string') return { kind: 'invalid', problem: problem ?? '' }
  const secret = hasSecret(input.type) ? makeClientSecret() : undefined
  const client: ClientRecord = {
    id: input.id,
    type: input.type,
    name: input.name ?? input.id,
    redirectUris: [...new Set(input.redirectUris)],
    // Signing out leads back to where signing in does: there is no second list to keep.
    postLogoutRedirectUris: [...new Set(input.redirectUris)],
    thirdParty: input.thirdParty,
    origin: 'operator',
    secretHash: secret === undefined ? undefined : hashClientSecret(secret),
    allow,
    revoked: false,
    ...(input.stepUp === 'reauthorize' && { stepUp: 'reauthorize' }),
    createdAt: Math.floor(now / 1000),
    metadata: {},
  }
  return (await store.addClient(client)) === 'added' ? { kind: 'added', client, secret } : { kind: 'exists' }
}

/**
 * `RESOURCE=scope,scope` entries, split at the last `=` (a resource id may have a query) and checked against the resources
 * of routes.yaml; a string says what is wrong.
 */
export function readAllow(entries: readonly string[], resources: readonly Resource[]): Allow | string {
  const allow = new Map<string, ReadonlySet<string>>()
  for (const entry of entries) {
    const cut = entry.lastIndexOf('=')
    if (cut < 1) return `--allow ${entry} must look like RESOURCE=scope,scope.`
    const [id, scopes] = [entry.slice(0, cut), entry.slice(cut + 1).split(',')]
    const problem = allowProblem(id, scopes, resources)
    if (problem !== undefined) return problem
    allow.set(id, new Set([...(allow.get(id) ?? []), ...scopes]))
  }
  return [...allow].map(([resource, scopes]) => ({ resource, scopes: [...scopes] }))
}

function allowProblem(id: string, scopes: readonly string[], resources: readonly Resource[]): string | undefined {
  const resource = resources.find((candidate) => candidate.identifier === id)
  if (resource === undefined) {
    const known = resources.map((candidate) => candidate.identifier).join(', ')
    return `Resource ${id} is not in routes.yaml; there ${known === '' ? 'is none' : `are: ${known}`}.`
  }
  const known: readonly string[] = [...resource.scopes.keys()]
  const unknown = scopes.find((scope) => !known.includes(scope))
  if (unknown === undefined) return undefined
  return `Resource ${id} has no scope ${JSON.stringify(unknown)}; it has: ${known.join(', ')}.`
}

/** What is wrong with a client, `allow` aside; undefined: nothing. */
export function clientProblem(input: NewClient): string | undefined {
  return clientIdProblem(input.id) ?? displayNameProblem(input.name) ?? typeProblem(input) ?? uriProblem(input)
}

function clientIdProblem(id: string): string | undefined {
  if (!/^[A-Za-z0-9][A-Za-z0-9._~-]{0,63}$/.test(id)) {
    return 'The client id must have 1 to 64 letters, digits or . _ ~ - and begin with a letter or digit.'
  }
  if (reservedClient(id) !== undefined || id === ADMIN_CLIENT)
    return `The client id ${id} is the gateway’s own: choose another.`
  return id.startsWith(SUB_PREFIX) ? `The client id must not begin with ${SUB_PREFIX}.` : undefined
}

function typeProblem(input: NewClient): string | undefined {
  if (input.type === 'service') {
    return input.thirdParty ? 'A service client signs nobody in, so it cannot be --third-party.' : undefined
  }
  if (input.allow.length > 0) return '--allow is for service clients; groups decide what the others may have.'
  if (input.type === 'native' || input.redirectUris.length > 0) return undefined
  return `A ${input.type} client needs --redirect-uri.`
}

function uriProblem(input: NewClient): string | undefined {
  if (input.redirectUris.length > 50) return 'A client can have at most 50 redirect URIs.'
  for (const uri of input.redirectUris) {
    const problem = redirectUriProblem(input.type, uri)
    if (problem !== undefined) return problem
  }
  return undefined
}
