import { type FormTarget, form } from './form.ts'
import { type Html, href, html } from './html.ts'
import { ago, plainWords } from './words.ts'

/** A provider that the account is connected with. */
export interface ConnectedWay {
  readonly name: string
  /** NumericDate, seconds. */
  readonly since: number
  readonly disconnect: FormTarget
}

/** A provider that the account can be connected with. */
export interface WayToConnect {
  readonly name: string
  readonly url: string
}

/** The section with the providers that somebody signs in with, and those that they could. Nothing where there is none. */
export function waysInSection(connected: readonly ConnectedWay[], others: readonly WayToConnect[], now: number): Html {
  if (connected.length + others.length === 0) return html``
  const list = connected.map(({ name, since, disconnect }) => {
    const shown = plainWords(name, 60)
    return html`<li class="app">
<div class="app-head"><h3><bdi>${shown}</bdi></h3><p class="hint">since ${ago(since, now)}</p></div>
${form(disconnect, html`<button class="button danger small" type="submit">Disconnect <bdi>${shown}</bdi></button>`, 'inline')}
</li>`
  })
  const links = others.map(
    ({ name, url }) =>
      html`<a class="button" href="${href(url) ?? '/account'}">Connect <bdi>${plainWords(name, 60)}</bdi></a>`,
  )
  return html`<section aria-labelledby="ways">
<h2 id="ways">Ways to sign in</h2>
${list.length > 0 && html`<ul class="apps">${list}</ul>`}
${links.length > 0 && html`<p class="after">You can connect a further one within 5 minutes after signing in.</p><div class="actions providers">${links}</div>`}
</section>`
}
