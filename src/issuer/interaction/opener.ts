import type { KoaContextWithOIDC } from 'oidc-provider'
import type { IssuerContext } from '../context.ts'
import { consentingClient } from './authorization-view.ts'

/**
 * Whether the pages of this authorization may stay in reach of the window that opened theirs, as apps that sign people in by a
 * pop-up need it. Whoever shares that reach and our origin could read and press what is shown, and an upstream of this origin
 * may serve anybody's files; so only where a page of the client's own site asked, and the operator answers for the client.
 */
export async function keepsOpener(context: IssuerContext, ctx: KoaContextWithOIDC): Promise<boolean> {
  const { client, params, entities } = ctx.oidc
  // A later page of the same authorization: it was asked for by our own.
  if (entities.Interaction !== undefined) return isKept(entities.Interaction)
  const from = originOf(ctx.get('referer'))
  if (client === undefined || from === undefined || from === context.settings().origin) return false
  const { redirectUris = [], postLogoutRedirectUris = [] } = client
  const own = [params?.redirect_uri, ...redirectUris, ...postLogoutRedirectUris].map(originOf)
  return own.includes(from) && (await consentingClient(context, client)).origin === 'operator'
}

/** What {@link keepsOpener} said when the authorization began. */
export function isKept({ prompt }: { readonly prompt: { readonly details: object } }): boolean {
  return 'keepsOpener' in prompt.details && prompt.details.keepsOpener === true
}

function originOf(uri: unknown): string | undefined {
  const url = typeof uri === 'string' ? URL.parse(uri) : null
  return url === null || url.origin === 'null' ? undefined : url.origin
}
