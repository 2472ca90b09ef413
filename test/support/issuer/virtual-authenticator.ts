import type { CDPSession, Page } from 'playwright-core'

export interface VirtualAuthenticator {
  readonly session: CDPSession
  readonly id: string
}

/** A device of Chromium's own that makes passkeys and says who is there, as long as the page lives. */
export async function addAuthenticator(
  page: Page,
  more: { readonly defaultBackupEligibility?: boolean; readonly defaultBackupState?: boolean } = {},
): Promise<VirtualAuthenticator> {
  const session = await page.context().newCDPSession(page)
  await session.send('WebAuthn.enable', { enableUI: false })
  const { authenticatorId } = await session.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
      ...more,
    },
  })
  return { session, id: authenticatorId }
}
