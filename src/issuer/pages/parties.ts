import { type FormTarget, form } from './form.ts'
import { type Html, href, html } from './html.ts'
import { clientName, plainWords } from './words.ts'

/** A client as people see it. Strings may come from whoever registered it; they are cleaned here. */
export interface PageClient {
  readonly name: string
  /** The operator registered it; false for those that registered themselves. */
  readonly verified: boolean
  /** No app asks: somebody opens a host of this name in their browser. */
  readonly isHost?: boolean
  /** Where it sends people back, from {@link returnPlace}; undefined where it sends them nowhere (device flow). */
  readonly returnsTo: string | undefined
  /** The host of its id, for clients whose id is a URL. */
  readonly idHost?: string | undefined
  /** Addresses that it published of itself, by what they are said to be. Nobody has looked at what is there. */
  readonly addresses?: readonly { readonly label: string; readonly url: string }[]
}

/** The client's name, kept apart from the text around it in reading direction. */
export function clientNamed(client: PageClient): Html {
  return html`<bdi class="name">${clientName(client.name)}</bdi>`
}

/** Whether the operator vouches for it, where it comes from and where it sends people: what to look at before approving. */
export function clientFacts(client: PageClient): Html {
  const returnsTo = client.returnsTo && plainWords(client.returnsTo, 100)
  const idHost = client.idHost && plainWords(client.idHost, 100)
  return html`<dl class="facts">
<div><dt>App</dt><dd>${clientNamed(client)} ${clientBadge(client)}</dd></div>
${idHost !== undefined && html`<div><dt>Published by</dt><dd>${idHost}</dd></div>`}
${returnsTo !== undefined && html`<div><dt>Sends you back to</dt><dd>${returnsTo}</dd></div>`}
${client.addresses?.map(addressFact)}
</dl>
${
  !client.verified &&
  html`<p class="notice caution">This app registered itself. Nobody here has checked who made it, and it chose its own name. Go on only if you started this yourself.</p>`
}`
}

/** In full, so that people see where it leads; nothing is fetched from there. */
function addressFact({ label, url }: { readonly label: string; readonly url: string }): Html {
  const shown = plainWords(url, 200)
  const link = href(url)
  const text = link === undefined ? html`${shown}` : html`<a href="${link}" rel="noopener noreferrer">${shown}</a>`
  return html`<div><dt>${label}</dt><dd class="address">${text}</dd></div>`
}

export function clientBadge(client: PageClient): Html {
  return client.verified
    ? html`<span class="badge verified">Verified</span>`
    : html`<span class="badge unverified">Not verified</span>`
}

/** Where `redirectUri` sends people, in words: a host, an app on this device, or an app by its URI scheme. */
export function returnPlace(redirectUri: string): string {
  const url = URL.parse(redirectUri)
  if (url === null) return 'an address that can’t be read'
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    return `an app on this device (${url.protocol.slice(0, -1)})`
  return isLoopback(url.hostname) ? `an app on this device (${url.host})` : url.host
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname)
}

/** Who is signed in. */
export interface PageAccount {
  readonly username: string
  readonly displayName: string | undefined
}

const SWITCH = 'switch-account'

/** "Signed in as …", with the way to another account where the model has one: a button of {@link switchForm}. */
export function accountLine(account: PageAccount, switchAccount: FormTarget | undefined): Html {
  const change =
    switchAccount && html`<button class="button link" type="submit" form="${SWITCH}">Use another account</button>`
  return html`<div class="who"><p>Signed in as <bdi class="name">${accountName(account)}</bdi></p>${change}</div>`
}

/** The form behind the account line's button. It stands last, so that the first form of a page is the page's question. */
export function switchForm(switchAccount: FormTarget | undefined): Html | undefined {
  return switchAccount && form(switchAccount, html``, 'inline', SWITCH)
}

/** `Alice Example (alice)`, or the username alone. */
export function accountName(account: PageAccount): string {
  const username = plainWords(account.username, 64)
  const shown = account.displayName && plainWords(account.displayName, 64)
  return shown && shown !== username ? `${shown} (${username})` : username
}
