import type { ServerResponse } from 'node:http'
import type Provider from 'oidc-provider'
import type { IssuerContext } from '../context.ts'
import { appendCookie, cookieName, isSecure } from '../http/cookies.ts'
import type { PendingInteraction } from './context.ts'

/** Ends the browser's session; the interaction goes on without one. */
export async function leaveSession(
  context: IssuerContext,
  provider: Provider,
  interaction: PendingInteraction,
  response: ServerResponse,
): Promise<void> {
  const { uid } = interaction.session ?? {}
  const session = uid === undefined ? undefined : await provider.Session.findByUid(uid)
  await session?.destroy()
  interaction.session = undefined
  const { origin } = context.settings()
  const name = cookieName('session', origin)
  for (const each of [name, `${name}.sig`]) {
    appendCookie(response, `${each}=; path=/; max-age=0; httponly; samesite=lax${isSecure(origin) ? '; secure' : ''}`)
  }
}
