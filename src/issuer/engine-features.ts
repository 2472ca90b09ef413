import type { Configuration } from 'oidc-provider'
import { documentFeature } from './client-documents.ts'
import { deviceFlow } from './device-pages.ts'
import { mayInspect } from './introspection.ts'
import type { IssuerContext } from './issuer-context.ts'
import { registrationFeature } from './registration.ts'
import { resourceHooks } from './resource-hooks.ts'
import { deriveKey } from './sealing.ts'
import { logout } from './sign-out.ts'
import type { TokenGate } from './token-gate.ts'

/** Which of the library's features are on. What is not named here is off, or has no setting. */
export function engineFeatures(context: IssuerContext, gate: TokenGate): NonNullable<Configuration['features']> {
  return {
    devInteractions: { enabled: false },
    resourceIndicators: resourceHooks(context, gate),
    deviceFlow: deviceFlow(context),
    clientCredentials: { enabled: true },
    pushedAuthorizationRequests: { enabled: true },
    dPoP: { enabled: true, nonceSecret: deriveKey(context.masterKey, 'DPoP nonces'), requireNonce: () => false },
    revocation: { enabled: true, allowedPolicy: async (_ctx, client, token) => client.clientId === token.clientId },
    introspection: {
      enabled: true,
      allowedPolicy: async (_ctx, client, token) => mayInspect(context, client.clientId, token),
    },
    rpInitiatedLogout: logout(context),
    registration: registrationFeature(context),
    clientIdMetadataDocument: documentFeature(context),
  }
}
