import type { Client, Configuration } from 'oidc-provider'
import { type IssuerContext, seconds } from './issuer-context.ts'
import { redirectUriProblem } from './redirect-uris.ts'

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
      (client.redirectUris ?? []).every((uri) => redirectUriProblem('native', uri) === undefined),
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
    name: String(client.clientName ?? client.clientId),
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
  await context.record('client.registered', { client: client.clientId, by: 'document' })
}

async function isRevoked({ store }: IssuerContext, id: string): Promise<boolean> {
  return (await store.client(id))?.revoked === true
}

function hasPath(id: string): boolean {
  const url = URL.parse(id)
  return url !== null && url.pathname !== '/'
}
