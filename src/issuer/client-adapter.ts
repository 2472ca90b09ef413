import type { Adapter, AdapterPayload } from 'oidc-provider'
import type { Store } from '../store/store.ts'
import { toProviderMetadata } from './client-metadata.ts'

/**
 * The library's view of registered clients, read at each use: one that was revoked is gone at once. Clients with a metadata
 * document are not found here; the library fetches theirs.
 * @param register keeps a client that registered itself.
 */
export function clientAdapter(store: Store, register: (metadata: AdapterPayload) => Promise<void>): Adapter {
  const nothing = async (): Promise<undefined> => undefined
  return {
    find: async (id) => {
      const client = await store.client(id)
      const usable = client !== undefined && !client.revoked && client.origin !== 'document'
      return usable ? toProviderMetadata(client) : undefined
    },
    upsert: (_id, metadata) => register(metadata),
    findByUid: nothing,
    findByUserCode: nothing,
    consume: nothing,
    destroy: nothing,
    revokeByGrantId: nothing,
  }
}
