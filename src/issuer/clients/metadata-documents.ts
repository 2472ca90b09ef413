import { lookup as systemLookup } from 'node:dns'
import { type RequestOptions, request } from 'node:https'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import type { Client, Configuration } from 'oidc-provider'
import { type IssuerContext, seconds } from '../context.ts'
import { plainWords } from '../pages/words.ts'
import { metadataUriProblem } from './client-uri.ts'

const TIMEOUT_MS = 2500
const LARGEST_BYTES = 64 * 1024

/** Addresses that belong to nobody on the Internet, or to us (RFC 6890 and the registries after it). */
const SPECIAL: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
]

/**
 * Fetches a public https URL that a stranger named: never from an address that is special, whatever the name resolves to at
 * that moment, no redirects, at most 64 KiB and 2.5 s. Rejects when that can't be.
 */
export async function fetchPublic(url: string): Promise<Response> {
  const target = new URL(url)
  if (target.protocol !== 'https:') throw new Error('only https is fetched')
  const host = target.hostname.replace(/^\[|\]$/g, '')
  // A literal address is connected to without a look-up.
  if (isIP(host) !== 0 && !isPublicAddress(host)) throw new Error('the address is not public')
  return read(target, { lookup: publicLookup, timeout: TIMEOUT_MS, agent: false })
}

/** Whether an IP address belongs to the public Internet. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address)
  if (family === 4) return !specialAddresses().check(address, 'ipv4')
  // Global unicast without documentation, tunnels (they carry IPv4 addresses inside) and benchmarks.
  if (family !== 6 || !/^[23]/.test(address)) return false
  return !specialAddresses().check(address, 'ipv6')
}

function specialAddresses(): BlockList {
  const list = new BlockList()
  for (const [network, bits] of SPECIAL) list.addSubnet(network, bits, 'ipv4')
  list.addSubnet('2001::', 23, 'ipv6')
  list.addSubnet('2001:db8::', 32, 'ipv6')
  list.addSubnet('2002::', 16, 'ipv6')
  list.addSubnet('3fff::', 20, 'ipv6')
  return list
}

/** The address that was checked is the one that is connected to: a second look-up could answer differently. */
const publicLookup: LookupFunction = (hostname, options, callback) => {
  systemLookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error !== null) return callback(error, '', 0)
    const [first] = addresses
    if (first === undefined || !addresses.every(({ address }) => isPublicAddress(address))) {
      return callback(new Error(`${hostname} has an address that is not public`), '', 0)
    }
    if (options.all === true) callback(null, addresses)
    else callback(null, first.address, first.family)
  })
}

function read(target: URL, options: RequestOptions): Promise<Response> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(TIMEOUT_MS)
    const outgoing = request(target, { ...options, signal, headers: { accept: 'application/json' } }, (incoming) => {
      const chunks: Buffer[] = []
      let length = 0
      incoming.on('data', (chunk: Buffer) => {
        length += chunk.length
        chunks.push(chunk)
        if (length > LARGEST_BYTES) outgoing.destroy(new Error('the document is too large'))
      })
      incoming.on('error', reject)
      incoming.on('end', () => {
        const status = incoming.statusCode ?? 0
        const headers = new Headers()
        for (const name of ['cache-control', 'expires', 'content-type']) {
          const value = incoming.headers[name]
          if (typeof value === 'string') headers.set(name, value)
        }
        const body = status === 200 ? Buffer.concat(chunks) : null
        resolve(new Response(body, { status: status >= 200 && status < 600 ? status : 502, headers }))
      })
    })
    outgoing.on('timeout', () => outgoing.destroy(new Error('too slow')))
    outgoing.on('error', reject)
    outgoing.end()
  })
}

type Documents = NonNullable<NonNullable<Configuration['features']>['clientIdMetadataDocument']>

const LONGEST_ID = 512
/** How long a document may be used without being fetched again, whatever it says. */
const CACHE_SECONDS = { min: 60, max: 3600 }

/** Clients whose id is the URL of a document about them, where routes.yaml has it on. */
export function documentFeature(context: IssuerContext): Documents {
  return {
    enabled: context.settings().clientMetadataDocuments,
    ack: 'draft-02',
    cacheDuration: CACHE_SECONDS,
    // A path is what tells one client of a host from another.
    allowFetch: async (_ctx, id) => id.length <= LONGEST_ID && hasPath(id) && !(await isRevoked(context, id)),
    allowClient: async (_ctx, client) =>
      !(await isRevoked(context, client.clientId)) &&
      metadataUriProblem(client.metadata(), ['redirect_uris', 'post_logout_redirect_uris']) === undefined,
  }
}

/**
 * Keeps a client with a document once somebody has given it something, so that it can be listed and revoked like any other.
 * One that is known already stays as it is.
 */
export async function keepDocumentClient(context: IssuerContext, client: Client): Promise<void> {
  if ((await context.store.client(client.clientId)) !== undefined) return
  await context.store.addClient({
    id: client.clientId,
    type: 'native',
    name: plainWords(String(client.clientName ?? ''), 64) || client.clientId,
    redirectUris: client.redirectUris ?? [],
    postLogoutRedirectUris: [],
    thirdParty: true,
    origin: 'document',
    secretHash: undefined,
    allow: [],
    revoked: false,
    createdAt: seconds(context),
    metadata: {},
  })
  await context.documents.keep(client.clientId)
  await context.record('client.registered', { client: client.clientId, by: `client:${client.clientId}` })
}

async function isRevoked({ store }: IssuerContext, id: string): Promise<boolean> {
  return (await store.client(id))?.revoked === true
}

function hasPath(id: string): boolean {
  const url = URL.parse(id)
  return url !== null && url.pathname !== '/'
}
