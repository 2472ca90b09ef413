import type { ClientRecord, Store } from '../../store/store.ts'
import type { IssuerSettings } from '../issuer.ts'
import { deriveKey } from '../keys/sealing.ts'
import { hashClientSecret } from './client-secrets.ts'
import { ADMIN_CLIENT } from './reserved.ts'

/** Known to whoever holds the master key, which is this process alone. */
export function adminClientSecret(masterKey: Buffer): string {
  return deriveKey(masterKey, 'secret of the client audgate-admin').toString('base64url')
}

/** Puts the built-in client in the store, as the file wants it now; one that was revoked stays revoked. */
export async function keepAdminClient(context: {
  readonly settings: () => IssuerSettings
  readonly store: Store
  readonly masterKey: Buffer
  readonly now: () => number
}): Promise<void> {
  const { hasAdmin = false, origin } = context.settings()
  if (!hasAdmin) return
  const before = await context.store.client(ADMIN_CLIENT)
  const client: ClientRecord = {
    id: ADMIN_CLIENT,
    type: 'web',
    name: 'Administration',
    redirectUris: [`${origin}/admin/callback`],
    postLogoutRedirectUris: [`${origin}/admin`],
    thirdParty: false,
    origin: 'operator',
    secretHash: hashClientSecret(adminClientSecret(context.masterKey)),
    allow: [],
    revoked: before?.revoked ?? false,
    createdAt: before?.createdAt ?? Math.floor(context.now() / 1000),
    metadata: {},
  }
  if (before === undefined) await context.store.addClient(client)
  // Whatever changed it meanwhile stands: another instance that starts, or a revocation.
  else if (JSON.stringify(before) !== JSON.stringify(client)) await context.store.replaceClient(before, client)
}
