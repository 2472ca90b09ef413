import { decodeConfig } from '../../../src/config/load.ts'
import type { IdentityProvider } from '../../../src/core/identity-provider.ts'
import {
  type AuthorizationAttempt,
  type AuthorizeOptions,
  authorizationAttempt,
  type Page,
  Person,
} from './browser-less-person.ts'
import type { TestProvider } from './identity-provider.ts'

/** What routes.yaml makes of a provider. @param more Further keys as YAML in one line. */
export function providerEntry(
  provider: Pick<TestProvider, 'issuer' | 'clientId' | 'clientSecret'>,
  more = '',
): IdentityProvider {
  return providerEntries([[provider, more]])[0] as IdentityProvider
}

/** The same for several. */
export function providerEntries(
  all: readonly (readonly [Pick<TestProvider, 'issuer' | 'clientId' | 'clientSecret'>, string])[],
): readonly IdentityProvider[] {
  const lines = all.map(
    ([{ issuer, clientId, clientSecret }, more]) =>
      `    - { issuer: "${issuer}", client_id: ${clientId}, client_secret: "${clientSecret}"${more === '' ? '' : `, ${more}`} }`,
  )
  const text = `public_url: https://gate.example.com\nissuer:\n  providers:\n${lines.join('\n')}\n`
  const result = decodeConfig(text, 'routes.yaml', {})
  if (!result.ok) throw new Error(JSON.stringify(result.problems))
  if (result.config.issuer.kind !== 'embedded') throw new Error('no issuer')
  return result.config.issuer.providers
}

/** The links of a page that lead to providers, by the text of the button. */
export function providerLinksOf(page: Pick<Page, 'text'>): readonly { readonly url: string; readonly text: string }[] {
  return [...page.text.matchAll(/<a class="button" href="([^"]+)">([\s\S]*?)<\/a>/g)].map(
    ([, url = '', text = '']) => ({
      url: url.replace(/&#38;|&amp;/g, '&'),
      text: text.replace(/<[^>]+>/g, ''),
    }),
  )
}

/** A person's browser at the gate, and its other cookies at one provider. */
export interface Traveller {
  readonly here: Person
  readonly there: Person
}

export function traveller(issuer: string, provider: TestProvider): Traveller {
  return { here: new Person(issuer, ''), there: new Person(new URL(provider.issuer).origin, '') }
}

/** Follows a page that leads to the provider there and back. Answers the first page here after the callback. */
export async function throughProvider({ here, there }: Traveller, page: Page): Promise<Page> {
  const answered = await there.open(page.url)
  if (new URL(answered.url).origin !== new URL(here.issuer).origin)
    throw new Error(`stays there: ${answered.url} ${answered.text}`)
  return here.open(answered.url)
}

/** Presses the button of a provider on a sign-in page, and comes back. */
export async function pressProvider(who: Traveller, page: Page, name?: RegExp): Promise<Page> {
  const link = providerLinksOf(page).find(
    ({ url, text }) => /provider=|\/start/.test(url) && (name === undefined || name.test(text)),
  )
  if (link === undefined) throw new Error(`no button on this page: ${page.text}`)
  return throughProvider(who, await who.here.open(link.url))
}

/** An authorization by way of a provider, to the code or to the page where it ends. */
export async function authorizeBy(
  who: Traveller,
  options: AuthorizeOptions,
): Promise<Page & AuthorizationAttempt & { readonly code: string }> {
  const attempt = authorizationAttempt(who.here.issuer, options)
  let page = await who.here.open(attempt.url)
  const ours = (): boolean => new URL(page.url).origin === new URL(who.here.issuer).origin
  if (!ours() && !page.url.startsWith(options.redirectUri)) page = await throughProvider(who, page)
  else if (ours()) page = await pressProvider(who, page)
  if (ours() && /value="approve"/.test(page.text)) page = await who.here.decide(page, 'approve')
  return { ...page, ...attempt, url: page.url, code: ours() ? '' : (new URL(page.url).searchParams.get('code') ?? '') }
}
