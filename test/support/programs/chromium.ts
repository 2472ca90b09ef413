import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium } from 'playwright-core'

export interface StartedChromium {
  /** A profile of its own: no cookies, no cache, one blank page. */
  readonly context: BrowserContext
  /** Ends the browser and deletes its profile. */
  close(): Promise<void>
}

/** Debian's Chromium without a window, in a fresh profile. `javaScript` false: a browser that runs no scripts. */
export async function startChromium(options: { readonly javaScript?: boolean } = {}): Promise<StartedChromium> {
  const profile = await mkdtemp(join(tmpdir(), 'audgate-chromium-'))
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: '/usr/bin/chromium',
    headless: true,
    javaScriptEnabled: options.javaScript ?? true,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
  context.setDefaultTimeout(15_000)
  return {
    context,
    close: async () => {
      await context.close()
      await rm(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
    },
  }
}
